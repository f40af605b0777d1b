#!/usr/bin/env python3
"""A house full of people for the pages of the desk to show.

Its law: whoever looks at it leaves nothing behind but sessions of the
admin and a code, so one serves all the tests of a process.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import pytest

from tests.browser.scenes import PASSWORD, PHONE
from tests.serving import Server
from vestibule.accounts.permissions import Actor
from vestibule.accounts.throttle import reset_failures, throttle
from vestibule.accounts.users import set_role
from vestibule.admin.filters import MAX_ROWS_SCANNED
from vestibule.audit.log import EventType
from vestibule.audit.writer import HASHES, HASHING, SESSIONS
from vestibule.core import clock
from vestibule.core.digest import digest_of
from vestibule.core.network import network_of
from vestibule.db import engine, events, hourly_counts, login_failures
from vestibule.db.events import Event
from vestibule.db.hourly_counts import Bucket, hour_of
from vestibule.db.models.user import User
from vestibule.db.models.user_session import UserSession

#: With those who have names, one page of the desk and some more.
CROWD = 24
#: Logins of Bob, with which his events are as many.
LOGINS = 10
#: Bob's sessions, as many too.
DEVICES = 27
#: A word that begins no email and no name.
NOBODY = "zebra"


@dataclass(frozen=True)
class Town:
    """A server, and those of its users whom tests name."""

    server: Server
    #: The only admin.
    chief: User
    #: Who did much, and failed to sign in of late.
    bob: User
    #: Who is disabled.
    dora: User
    #: Who has more sessions than are looked at for one page.
    swarm: User
    #: Who was never here.
    newcomer: User


@contextmanager
def inhabited(folder: Path, settings: dict[str, str]) -> Iterator[Town]:
    """Run a server on a database in which there is all of this."""
    server = Server(folder, **settings).start()
    with pytest.MonkeyPatch.context() as given:
        given.setenv("DATABASE_URL", server.env["DATABASE_URL"])
        chief = _settled("chief", first_name="Ada")
        chief.password = PASSWORD
        chief.save()
        set_role(chief, "admin")
        bob = _settled("bob", first_name="Bob", last_name="Builder")
        dora = _settled("dora")
        dora.disabled_at = clock.now()
        dora.save()
        for number in range(CROWD):
            _settled(f"crowd{number}")
        town = Town(
            server,
            chief,
            bob,
            dora,
            _settled("swarm"),
            _settled("newcomer"),
        )
        _begin_sessions(town)
        _let_happen(town)
        fail(bob)
        engine.close()
    yield town
    assert server.stop() == 0


def fail(user: User, address: str = "192.0.2.9") -> None:
    """Count failures to sign in, so many that one has to wait."""
    for _ in range(12):
        throttle().attempt(str(user.email), Actor(address=address)).fail()


def forgive(user: User) -> None:
    """Let nobody wait for what failed before, from here neither."""
    reset_failures(user)
    here = network_of("127.0.0.1")
    login_failures.delete_counts([digest_of(f"network:{here}")])


def _settled(name: str, **names: str) -> User:
    """Store a user without a password, which takes long to hash."""
    user = User(email=f"{name}@example.com", **names)
    user.save()
    return user


def _begin_sessions(town: Town) -> None:
    """Store Bob's sessions, and those of the swarm before."""
    now = clock.now()
    for user, agent, number, hours in (
        (town.swarm, "curl/8.5.0", MAX_ROWS_SCANNED + 1, 3),
        (town.bob, PHONE, DEVICES, 1),
    ):
        for each in range(number):
            UserSession(
                user_id=user.id,
                session_id=f"{user.id}{each}",
                created_at=now - timedelta(hours=hours, seconds=each),
                last_seen_at=now,
                user_agent=agent,
                ip=f"192.0.2.{each % 2}",
                method="password",
            ).save()


def _let_happen(town: Town) -> None:
    """Store an event of each kind, logins, and a month of sums."""
    now = clock.now()
    happened = [*([EventType.LOGIN] * LOGINS), *EventType]
    events.insert_events(
        [
            Event(
                now - timedelta(minutes=number),
                kind,
                town.bob.id,
                by_id=None if kind is EventType.LOGIN else town.chief.id,
                ip="2001:db8::7",
                network="2001:db8::/64",
                user_agent=PHONE,
                times=number % 3 + 1,
            )
            for number, kind in enumerate(happened)
        ]
    )
    hourly_counts.set_gauge(
        {
            Bucket(hour_of(now) - ago, name): amount * (ago % 24 + 1)
            for ago in range(30 * 24)
            for name, amount in (
                (EventType.LOGIN, 5),
                (EventType.LOGIN_FAILED, 1),
                (SESSIONS, 900),
                (HASHES, 6),
                (HASHING, 150_000),
            )
        }
    )
