#!/usr/bin/env python3
"""People who do not exist, their sessions and what happened to them.

Its law: nobody and nothing here is real. Addresses are of domains and
networks that are kept for examples (RFC 2606, 5737 and 3849), nobody knows
the id of a session, and all people share one password, of which one hash
is made: five hundred hashes would take a quarter of a minute.
"""

from collections.abc import Iterator
from datetime import datetime, timedelta
from itertools import islice
from random import Random
from typing import NamedTuple

from vestibule.audit.log import EventType
from vestibule.core import clock, passwords
from vestibule.core.network import network_of
from vestibule.db import events
from vestibule.db.engine import database
from vestibule.db.events import Event
from vestibule.db.models.user import Role, User
from vestibule.db.models.user_session import UserSession
from vestibule.sessions import new_session_id

#: Whom to sign in as: who may manage the others, and who may not.
ADMIN = "admin@example.com"
MEMBER = "member@example.com"

#: People in one transaction.
BATCH = 50
#: Seconds in which the sessions began that are open.
RECENT = 40_000
#: Days that are told of.
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


class Life(NamedTuple):
    """A person with what belongs to them."""

    user: User
    sessions: list[UserSession]
    happenings: list[Event]


def fill(count: int, password: str) -> Iterator[Life]:
    """Store `count` people who share a `password`; yield each once stored."""
    made = lives(count, passwords.hash_password(password), clock.now())
    while some := list(islice(made, BATCH)):
        with database().transaction() as connection:
            for life in some:
                life.user.insert_in_transaction(connection)
                for session in life.sessions:
                    session.insert_in_transaction(connection)
        events.insert_events(
            [each for life in some for each in life.happenings]
        )
        yield from some


def lives(count: int, hashed: str, now: datetime) -> Iterator[Life]:
    """Yield `count` people and what they did until `now`.

    The same people come each time.
    """
    chance = Random(count)
    for number in range(count):
        user = _person(number, now, chance)
        user.set_hash(hashed)
        open_ones = []
        if user.disabled_at is None:
            # Most have one or two devices, some have many.
            for _ in range(min(9, int(chance.expovariate(0.5)) + 1)):
                open_ones.append(_session(user, now, chance))
        yield Life(user, open_ones, list(_story(user, open_ones, now, chance)))


def _person(number: int, now: datetime, chance: Random) -> User:
    """Return the person of a number; the first two are those above."""
    first = _FIRST[number % len(_FIRST)]
    last = _LAST[number // len(_FIRST) % len(_LAST)]
    email = (
        (ADMIN, MEMBER)[number]
        if number < 2
        else (f"{first}.{last}.{number}@example.com".lower())
    )
    since = _past(now - timedelta(days=DAYS), 100 * 86_400, chance)
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
        user.disabled_at = _past(now, DAYS * 86_400, chance)
    return user


def _session(user: User, now: datetime, chance: Random) -> UserSession:
    """Return an open session of a user; who has it uses it now and then."""
    began = _past(now, RECENT, chance)
    seen = began + (now - began) * chance.random() ** 0.3
    return UserSession(
        user_id=user.id,
        session_id=new_session_id(),
        created_at=began,
        updated_at=began,
        last_seen_at=seen,
        authenticated_at=began,
        ip=chance.choice(_NETWORKS).format(chance.randrange(1, 250)),
        user_agent=chance.choice(_DEVICES),
        method="password",
    )


def _story(
    user: User, sessions: list[UserSession], now: datetime, chance: Random
) -> Iterator[Event]:
    """Yield what happened to a user: logins, mistakes, and a change."""
    yield Event(user.created_at, EventType.USER_ADDED.value, user.id)
    for session in sessions:
        yield _event(
            EventType.LOGIN, session.created_at, session, handle=session.id
        )
    for _ in range(chance.randrange(4)):
        ended = _session(user, now, chance)
        began = _past(now, DAYS * 86_400, chance)
        if chance.random() < 0.3:
            yield _event(
                EventType.LOGIN_FAILED, began, ended, reason="wrong_password"
            )
        yield _event(
            EventType.LOGIN,
            began + timedelta(seconds=9),
            ended,
            handle=ended.id,
        )
        yield _event(
            EventType.LOGOUT,
            began + (now - began) * chance.random(),
            ended,
            handle=ended.id,
        )
    if chance.random() < 0.1:
        yield Event(
            _past(now, DAYS * 86_400, chance),
            EventType.PASSWORD_CHANGED.value,
            user.id,
        )
    if user.disabled_at is not None:
        yield Event(user.disabled_at, EventType.USER_DISABLED.value, user.id)


def _event(
    event: EventType,
    at: datetime,
    session: UserSession,
    handle: str | None = None,
    reason: str | None = None,
) -> Event:
    """Return what happened where a session is."""
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


def _past(now: datetime, seconds: int, chance: Random) -> datetime:
    """Return a moment within so many seconds before `now`."""
    return now - timedelta(seconds=chance.uniform(60, seconds))
