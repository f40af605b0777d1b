#!/usr/bin/env python3
"""Applications in process, one of each kind that the tests need."""

from collections.abc import Callable, Iterator

import pytest

from tests.app.api.conftest import (
    Build,
    build,
    fresh_process,
    logged,
    security_lines,
)
from tests.app.api.factor_owner import Owner
from tests.asvs.breach_list import BreachList
from tests.asvs.service import Logged, Service
from tests.clocks import SetClock

__all__ = ["build", "fresh_process", "logged", "security_lines"]

HOST_COOKIE = "__Host-session"
HARDENED = {"SECURITY_PROFILE": "hardened", "SESSION_NAME": HOST_COOKIE}
#: Builds an application with a mechanism and settings.
Start = Callable[..., Service]


@pytest.fixture(scope="session")
def breach_list() -> Iterator[BreachList]:
    """Run the stand-in for the service that lists stolen passwords."""
    with BreachList() as listening:
        yield listening


@pytest.fixture
def start(build: Build, logged: Logged) -> Start:
    """Return a function that builds an application."""

    def started(
        auth_type: str | None = "session_db_auth", **settings: str
    ) -> Service:
        """Build it, with sessions in the database by default."""
        return Service(build(auth_type, **settings), logged)

    return started


@pytest.fixture
def hardened(start: Start, breach_list: BreachList) -> Service:
    """Return an application with the hardened profile."""
    return start(
        **HARDENED,
        PASSWORD_BREACH_URL=breach_list.url,
        PASSWORD_CONTEXT_WORDS="holberton",
        MAX_SESSIONS_PER_USER="3",
    )


@pytest.fixture
def contract(start: Start) -> Service:
    """Return an application with the settings that clients expect."""
    return start()


@pytest.fixture
def throttled(start: Start) -> Service:
    """Return one that throttles and accepts short passwords."""
    return start(**HARDENED, THROTTLE="on", PASSWORD_MIN_LENGTH="8")


@pytest.fixture
def owner(service: object, set_clock: SetClock) -> Owner:
    """Return a user with an app, whose next code is not used yet."""
    made = Owner()
    set_clock.advance(30)
    return made
