#!/usr/bin/env python3
"""A server with enough users, sessions and events to fill the admin pages.

Tests of one process share it: they may add only sessions of the admin and
reset codes.
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
from vestibule.core.crypto import digest_of
from vestibule.core.request_headers import network_of
from vestibule.db import engine, events, hourly_counts, login_failures
from vestibule.db.events import Event
from vestibule.db.hourly_counts import Bucket, hour_of
from vestibule.db.models.user import User
from vestibule.db.models.user_session import UserSession

#: Users besides the named ones: more than one page in total.
CROWD = 24
#: Logins of Bob, which fill more than one page of events.
LOGINS = 10
#: Sessions of Bob: more than one page.
DEVICES = 27
#: A search word that matches no email and no name.
UNKNOWN_WORD = "zebra"


@dataclass(frozen=True)
class PopulatedServer:
    """A server, and the users that tests refer to."""

    server: Server
    #: The only admin.
    admin: User
    #: A user with many events who must wait after failed sign-ins.
    bob: User
    #: A disabled user.
    disabled_user: User
    #: A user with more sessions than the server scans for a page.
    many_sessions_user: User
    #: A user who never signed in.
    newcomer: User


@contextmanager
def populated_server(
    folder: Path, settings: dict[str, str]
) -> Iterator[PopulatedServer]:
    """Run a server on a database with all of this data."""
    server = Server(folder, **settings).start()
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DATABASE_URL", server.env["DATABASE_URL"])
        admin = _add_user("admin", first_name="Ada")
        admin.password = PASSWORD
        admin.save()
        set_role(admin, "admin")
        bob = _add_user("bob", first_name="Bob", last_name="Builder")
        disabled_user = _add_user("disabled")
        disabled_user.disabled_at = clock.now()
        disabled_user.save()
        for number in range(CROWD):
            _add_user(f"crowd{number}")
        populated = PopulatedServer(
            server,
            admin,
            bob,
            disabled_user,
            _add_user("many-sessions"),
            _add_user("newcomer"),
        )
        _add_sessions(populated)
        _add_events(populated)
        fail_to_sign_in(bob)
        engine.close()
    yield populated
    assert server.stop() == 0


def fail_to_sign_in(user: User, address: str = "192.0.2.9") -> None:
    """Count so many failed sign-ins that the user must wait."""
    for _ in range(12):
        throttle().attempt(str(user.email), Actor(address=address)).fail()


def reset_login_failures(user: User) -> None:
    """Reset the failed sign-ins of a user and of this machine."""
    reset_failures(user)
    here = network_of("127.0.0.1")
    login_failures.delete_counts([digest_of(f"network:{here}")])


def _add_user(name: str, **names: str) -> User:
    """Store a user without a password, because hashing one is slow."""
    user = User(email=f"{name}@example.com", **names)
    user.save()
    return user


def _add_sessions(populated: PopulatedServer) -> None:
    """Store the sessions of Bob and of the user with many sessions."""
    now = clock.now()
    for user, agent, number, hours in (
        (populated.many_sessions_user, "curl/8.5.0", MAX_ROWS_SCANNED + 1, 3),
        (populated.bob, PHONE, DEVICES, 1),
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


def _add_events(populated: PopulatedServer) -> None:
    """Store an event of each kind, some logins, and hourly counts."""
    now = clock.now()
    kinds = [*([EventType.LOGIN] * LOGINS), *EventType]
    events.insert_events(
        [
            Event(
                now - timedelta(minutes=number),
                kind,
                populated.bob.id,
                by_id=None if kind is EventType.LOGIN else populated.admin.id,
                ip="2001:db8::7",
                network="2001:db8::/64",
                user_agent=PHONE,
                times=number % 3 + 1,
            )
            for number, kind in enumerate(kinds)
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
