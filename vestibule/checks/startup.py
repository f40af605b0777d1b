#!/usr/bin/env python3
"""The checks that each start runs: settings it refuses, and warnings.

A check yields results with an id, a level, a message and a hint, as the
system checks of Django do. `vestibule.checks.doctor` shows the results of
these checks too, and has more of them.
"""

import logging
import os
import sys
from collections.abc import Callable, Iterator
from enum import StrEnum
from functools import cache
from typing import NamedTuple

from vestibule.core import settings
from vestibule.core.errors import ConfigurationError
from vestibule.db import drivers
from vestibule.db.engine import configured_database
from vestibule.db.models.user import User
from vestibule.identity.header import open_signer
from vestibule.mechanisms import mechanism_for
from vestibule.mechanisms.auth import Auth
from vestibule.mechanisms.session_auth import SessionAuth
from vestibule.mechanisms.session_db_auth import SessionDBAuth
from vestibule.web.routes import has_pages

_log = logging.getLogger(__name__)


class Level(StrEnum):
    """How serious a result is."""

    GOOD = "good"
    WEAK = "weak"
    WRONG = "wrong"


class CheckResult(NamedTuple):
    """What a check found. `hint` says what to do about it."""

    id: str
    level: Level
    message: str
    hint: str = ""


#: A check gets the class that AUTH_TYPE names.
Check = Callable[[type[Auth] | None], Iterator[CheckResult]]


def check_settings(mechanism: type[Auth] | None) -> None:
    """Raise `ConfigurationError` if the service cannot run so.

    Each setting must have a valid value, and all must fit together.
    """
    for setting in settings.ALL:
        setting.read()
    if has_pages(mechanism):
        # This imports Flask, which the command line does not need.
        from vestibule.web.assets import bundle

        bundle()
    # A signing key that is invalid ends the start, not a request.
    open_signer()
    if settings.is_hardened() and settings.SESSION_DURATION.read() is None:
        raise ConfigurationError("SESSION_DURATION", "must be whole seconds")
    name = settings.SESSION_NAME.read()
    if settings.SESSION_NAME_HOST_PREFIX.read() and (
        name is not None and not name.startswith("__Host-")
    ):
        raise ConfigurationError("SESSION_NAME", "must begin with __Host-")
    workers = settings.WORKERS.read()
    if workers > 1 and _has_sessions_in_memory(mechanism):
        raise ConfigurationError(
            "WORKERS",
            f"must be 1, not {workers}: this AUTH_TYPE keeps its sessions in"
            " the memory of one process; session_db_auth shares them",
        )


def startup_warnings(mechanism: type[Auth] | None) -> Iterator[str]:
    """Yield each problem that a start finds, with its hint."""
    yield from _warnings((*SETTINGS_CHECKS, *DATABASE_CHECKS), mechanism)


@cache
def log_settings_warnings() -> None:
    """Log what is unsafe in the settings, once.

    Workers that are forked after it log them no second time. The database
    stays closed: a script that imports the application opens nothing.
    """
    mechanism = mechanism_for(settings.AUTH_TYPE.read())
    for warning in _warnings(SETTINGS_CHECKS, mechanism):
        _log.warning(warning)


def log_startup_warnings() -> None:
    """Log all warnings of a start, whose database has been opened."""
    log_settings_warnings()
    mechanism = mechanism_for(settings.AUTH_TYPE.read())
    for warning in _warnings(DATABASE_CHECKS, mechanism):
        _log.warning(warning)


def _warnings(
    checks: tuple[Check, ...], mechanism: type[Auth] | None
) -> Iterator[str]:
    """Yield the problems that `checks` find, each with its hint."""
    for check in checks:
        for result in check(mechanism):
            if result.level is not Level.GOOD:
                yield f"{result.message}; hint: {result.hint}"


def _authentication(mechanism: type[Auth] | None) -> Iterator[CheckResult]:
    """Check that requests are authenticated at all."""
    if mechanism is None:
        yield CheckResult(
            "auth.unset",
            Level.WRONG,
            "AUTH_TYPE is not set: every route is open to anyone",
            "AUTH_TYPE=session_db_auth",
        )


def _sessions(mechanism: type[Auth] | None) -> Iterator[CheckResult]:
    """Check that sessions have a cookie, and that they expire."""
    if mechanism is None or not issubclass(mechanism, SessionAuth):
        return
    if settings.SESSION_NAME.read() is None:
        yield CheckResult(
            "sessions.cookie_name",
            Level.WRONG,
            "SESSION_NAME is not set: no user can log in",
            "SESSION_NAME=__Host-session behind TLS",
        )
    if mechanism().limits().endless:
        yield CheckResult(
            "sessions.expiry",
            Level.WRONG,
            "sessions never expire: SESSION_DURATION, SESSION_MAX_AGE"
            " and SESSION_IDLE_TIMEOUT set no limit",
            "SESSION_IDLE_TIMEOUT=1800 and SESSION_MAX_AGE=43200",
        )
    else:
        yield CheckResult("sessions.expiry", Level.GOOD, "sessions expire")


def _cookie_security(mechanism: type[Auth] | None) -> Iterator[CheckResult]:
    """Check that browsers can keep a cookie that is only for TLS."""
    if mechanism is None or not issubclass(mechanism, SessionAuth):
        return
    name = settings.SESSION_NAME.read() or ""
    is_for_tls = settings.COOKIE_SECURE.read() == "always" or name.startswith(
        ("__Host-", "__Secure-")
    )
    if is_for_tls and not settings.TRUSTED_PROXIES.read():
        yield CheckResult(
            "cookie.tls",
            Level.WEAK,
            "browsers keep the session cookie only over TLS, and no proxy"
            " with TLS is trusted: over plain HTTP no user stays signed in",
            "TRUSTED_PROXIES=<address of the proxy with TLS>",
        )


def _pages(mechanism: type[Auth] | None) -> Iterator[CheckResult]:
    """Check that pages have sessions, and do not invite strangers."""
    if not has_pages(mechanism):
        if settings.WEB_PAGES.read():
            yield CheckResult(
                "pages.sessions",
                Level.WEAK,
                "WEB_PAGES is on, but AUTH_TYPE has no sessions: no pages",
                "AUTH_TYPE=session_db_auth, or WEB_PAGES=off",
            )
    elif (
        settings.REGISTRATION.read() == "open"
        and settings.AUTHZ_POLICY.read() == "open"
    ):
        yield CheckResult(
            "pages.registration",
            Level.WRONG,
            "REGISTRATION and AUTHZ_POLICY are open: any stranger may list"
            " and delete the users",
            "AUTHZ_POLICY=self",
        )


def _sqlite_version(_: type[Auth] | None) -> Iterator[CheckResult]:
    """Check that this SQLite can write ahead without losing data."""
    version = drivers.sqlite_driver().sqlite_version_info
    if (
        configured_database().is_sqlite
        and version < drivers.FIRST_SAFE_WAL_VERSION
    ):
        yield CheckResult(
            "database.sqlite_version",
            Level.WEAK,
            f"SQLite {'.'.join(map(str, version))} may corrupt a write-ahead"
            " log: it is not used, which makes writing slower",
            "install pysqlite3, which brings a newer SQLite",
        )


def _first_user(mechanism: type[Auth] | None) -> Iterator[CheckResult]:
    """Check that there is a user, or a page that makes the first one."""
    if not has_pages(mechanism) and not User.count():
        python = sys.executable.removeprefix(os.getcwd() + os.sep)
        yield CheckResult(
            "users.first",
            Level.WEAK,
            "there is no user yet",
            f"{python} -m vestibule users add you@example.com",
        )


def _has_sessions_in_memory(mechanism: type[Auth] | None) -> bool:
    """Return True if other processes do not see the sessions."""
    return (
        mechanism is not None
        and issubclass(mechanism, SessionAuth)
        and not issubclass(mechanism, SessionDBAuth)
    )


#: Checks that read settings alone.
SETTINGS_CHECKS: tuple[Check, ...] = (
    _authentication,
    _sessions,
    _cookie_security,
    _pages,
)
#: Checks that need the database; they open it.
DATABASE_CHECKS: tuple[Check, ...] = (_sqlite_version, _first_user)
