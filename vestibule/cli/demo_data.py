#!/usr/bin/env python3
"""The invented users of `demo`, with sessions and events.

Addresses are of domains and networks reserved for examples (RFC 2606, 5737
and 3849), and session ids are not kept. All users share one password and
one hash of it: five hundred hashes would take a quarter of a minute.
"""

import math
from collections.abc import Iterator
from datetime import datetime, timedelta
from itertools import islice
from random import Random
from typing import NamedTuple

from vestibule.audit.log import EventType
from vestibule.audit.writer import HASHES, HASHING, SESSIONS
from vestibule.core import clock, passwords
from vestibule.core.request_headers import network_of
from vestibule.db import events, hourly_counts
from vestibule.db.engine import database
from vestibule.db.events import Event
from vestibule.db.hourly_counts import Bucket, hour_of
from vestibule.db.models.user import Role, User
from vestibule.db.models.user_session import UserSession
from vestibule.sessions.session import new_session_id

#: The users to sign in as: an admin, and one who is not.
ADMIN = "admin@example.com"
MEMBER = "member@example.com"

#: Users stored in one transaction.
USERS_PER_BATCH = 50
#: Age in seconds of the oldest open session.
MAX_SESSION_AGE = 40_000
#: Hours of ten days, by their number, in which the demo did not run.
HOURS_WITHOUT_SERVICE = range(100, 105)
#: Days that the events cover.
DAYS = 30

_FIRST = (
    "Ada",
    "Alan",
    "Amélie",
    "Anders",
    "Asha",
    "Björn",
    "Chiara",
    "Dorothy",
    "Edsger",
    "Élise",
    "Fatima",
    "Grace",
    "Hedy",
    "Ines",
    "Jun",
    "Kateřina",
    "Linus",
    "Margaret",
    "Niklaus",
    "Olga",
    "Pedro",
    "Radia",
    "Søren",
    "Zoë",
)
_LAST = (
    "Andersson",
    "Bakshi",
    "Costa",
    "Dupont",
    "Eriksen",
    "Ferrari",
    "García",
    "Hopper",
    "Ito",
    "Jansen",
    "Kowalski",
    "Lamarr",
    "Müller",
    "Novák",
    "Okafor",
    "Petrov",
    "Quinn",
    "Rossi",
    "Sato",
    "Turing",
    "Ueda",
    "Vasquez",
    "Wirth",
    "Yamada",
)
_LINUX = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko Firefox/140.0"
_WINDOWS = "Mozilla/5.0 (Windows NT 10.0; Win64; x64) Chrome/138.0 Safari/537"
_MAC = "Mozilla/5.0 (Macintosh; Intel Mac OS X 14_5) Version/18 Safari/605"
_IPHONE = "Mozilla/5.0 (iPhone; CPU iPhone OS 18_5) Version/18 Safari/604"
_ANDROID = "Mozilla/5.0 (Linux; Android 15; Pixel 9) Chrome/138.0 Mobile"
_DEVICES = (
    _LINUX,
    _WINDOWS,
    _WINDOWS,
    _MAC,
    _IPHONE,
    _ANDROID,
    "curl/8.5.0",
    "python-requests/2.32",
)
_NETWORKS = ("192.0.2.{}", "198.51.100.{}", "203.0.113.{}", "2001:db8:{:x}::7")


class DemoUser(NamedTuple):
    """A user with their open sessions and their events."""

    user: User
    sessions: list[UserSession]
    events: list[Event]


def fill(count: int, password: str) -> Iterator[DemoUser]:
    """Store `count` users who share a `password`; yield each once stored."""
    users = generate_users(
        count, passwords.hash_password(password), clock.now()
    )
    while batch := list(islice(users, USERS_PER_BATCH)):
        with database().transaction() as connection:
            for each in batch:
                each.user.insert_in_transaction(connection)
                for session in each.sessions:
                    session.insert_in_transaction(connection)
        events.insert_events(
            [event for each in batch for event in each.events]
        )
        yield from batch
    _fill_hourly_counts(count, clock.now())


def _fill_hourly_counts(count: int, now: datetime) -> None:
    """Store hourly counts as a server of `count` users would.

    The service stood still for some hours, which the charts show.
    """
    rng, last = Random(count), hour_of(now)
    gauges: dict[Bucket, int] = {}
    for hour in range(last - DAYS * 24, last + 1):
        if hour % 240 in HOURS_WITHOUT_SERVICE:
            continue
        daily = 1 + 0.4 * math.sin((hour % 24 - 8) / 24 * math.tau)
        hashes = int(count * daily / 6) + rng.randrange(5) + 1
        gauges[Bucket(hour, SESSIONS)] = int(count * daily * 1.5)
        gauges[Bucket(hour, HASHES)] = hashes
        gauges[Bucket(hour, HASHING)] = hashes * rng.randrange(38_000, 65_000)
    hourly_counts.set_gauge(gauges)


def generate_users(
    count: int, hashed: str, now: datetime
) -> Iterator[DemoUser]:
    """Yield `count` users with sessions and events until `now`.

    The same `count` always gives the same users.
    """
    rng = Random(count)
    for number in range(count):
        user = _user(number, now, rng)
        user.set_hash(hashed)
        sessions = []
        if user.disabled_at is None:
            # Most have one or two devices, some have many.
            for _ in range(min(9, int(rng.expovariate(0.5)) + 1)):
                sessions.append(_session(user, now, rng))
        yield DemoUser(user, sessions, list(_events(user, sessions, now, rng)))


def _user(number: int, now: datetime, rng: Random) -> User:
    """Return the user of a number; the first two are those above."""
    first = _FIRST[number % len(_FIRST)]
    last = _LAST[number // len(_FIRST) % len(_LAST)]
    email = (
        (ADMIN, MEMBER)[number]
        if number < 2
        else (f"{first}.{last}.{number}@example.com".lower())
    )
    since = _past(now - timedelta(days=DAYS), 100 * 86_400, rng)
    if number % 12 == 5:
        # Some joined lately, so that the chart of new users has bars.
        since = now - timedelta(days=DAYS) * rng.random() ** 2
    user = User(
        email=email,
        first_name=first,
        last_name=last,
        created_at=since,
        updated_at=since,
    )
    if number % 100 == 0:
        user.role = Role.ADMIN.value
    elif number % 40 == 7:
        user.disabled_at = _past(now, DAYS * 86_400, rng)
    return user


def _session(user: User, now: datetime, rng: Random) -> UserSession:
    """Return a session of a user, last used at a random time."""
    began = _past(now, MAX_SESSION_AGE, rng, user.created_at)
    seen = began + (now - began) * rng.random() ** 0.3
    return UserSession(
        user_id=user.id,
        session_id=new_session_id(),
        created_at=began,
        updated_at=began,
        last_seen_at=seen,
        authenticated_at=began,
        ip=rng.choice(_NETWORKS).format(rng.randrange(1, 250)),
        user_agent=rng.choice(_DEVICES),
        method="password",
    )


def _events(
    user: User, sessions: list[UserSession], now: datetime, rng: Random
) -> Iterator[Event]:
    """Yield events of a user: logins, failures, perhaps a change."""
    yield Event(user.created_at, EventType.USER_ADDED.value, user.id)
    for session in sessions:
        yield _event(
            EventType.LOGIN, session.created_at, session, handle=session.id
        )
    for _ in range(rng.randrange(4)):
        ended = _session(user, now, rng)
        began = _past(now, DAYS * 86_400, rng, user.created_at)
        if rng.random() < 0.4:
            yield _event(
                EventType.LOGIN_FAILED, began, ended, reason="wrong_password"
            )
        if rng.random() < 0.1:
            yield _event(EventType.THROTTLED, began, ended)
        yield _event(
            EventType.LOGIN,
            began + timedelta(seconds=9),
            ended,
            handle=ended.id,
        )
        yield _event(
            EventType.LOGOUT,
            began + (now - began) * rng.random(),
            ended,
            handle=ended.id,
        )
    if rng.random() < 0.1:
        yield Event(
            _past(now, DAYS * 86_400, rng, user.created_at),
            EventType.PASSWORD_CHANGED.value,
            user.id,
        )
    if user.disabled_at is not None:
        yield Event(user.disabled_at, EventType.USER_DISABLED.value, user.id)
        for _ in range(rng.randrange(1, 8)):
            yield _event(
                EventType.LOGIN_DISABLED,
                now - (now - user.disabled_at) * rng.random() ** 3,
                _session(user, now, rng),
            )


def _event(
    event: EventType,
    at: datetime,
    session: UserSession,
    handle: str | None = None,
    reason: str | None = None,
) -> Event:
    """Return an event with the address and device of a session."""
    address = session.ip
    return Event(
        at,
        event.value,
        session.user_id,
        ip=address,
        network=None if address is None else network_of(address),
        user_agent=session.user_agent,
        handle=handle,
        reason=reason,
    )


def _past(
    now: datetime, seconds: int, rng: Random, since: datetime | None = None
) -> datetime:
    """Return a random time within so many seconds before `now`.

    With `since` it is not before that time.
    """
    found = now - timedelta(seconds=rng.uniform(60, seconds))
    if since is None or found >= since:
        return found
    return since + (now - since) * rng.random()
