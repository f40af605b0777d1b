#!/usr/bin/env python3
"""What is wrong with a deployment, and how to mend it.

Its law: it looks and changes nothing. Each finding names what to set, so
that nobody has to read on to act on it.
"""

from collections.abc import Iterator
from datetime import timedelta
from enum import StrEnum
from typing import NamedTuple

from vestibule.audit.log import EventType
from vestibule.core import clock, env_file, settings
from vestibule.core.command_line import command_line
from vestibule.core.errors import VestibuleError
from vestibule.db import drivers, engine, events, health, migrate
from vestibule.db.models.user import Role, User
from vestibule.mechanisms import mechanism_for
from vestibule.mechanisms.auth import Auth
from vestibule.mechanisms.session_auth import SessionAuth
from vestibule.server.checks import check_settings

#: Days for which the end of a worker is reported.
RECENT_DAYS = 7
#: Ends of workers that are counted at most.
MAX_EXITS_COUNTED = 100


class Level(StrEnum):
    """How bad a finding is."""

    GOOD = "good"
    WEAK = "weak"
    WRONG = "wrong"


class CheckResult(NamedTuple):
    """One thing that was looked at: how it is, and how to mend it."""

    grade: Level
    what: str
    mend: str = ""


def run_checks() -> Iterator[CheckResult]:
    """Yield what the settings and the database are found to be."""
    yield from _settings()
    yield from _database()


def _settings() -> Iterator[CheckResult]:
    """Look at each setting alone and at all of them together."""
    broken = False
    try:
        unknown = env_file.load()
    except VestibuleError as error:
        yield CheckResult(
            Level.WRONG, str(error), "the server does not start so"
        )
        return
    yield from _env_file(unknown)
    for setting in settings.ALL:
        try:
            setting.read()
        except VestibuleError as error:
            broken = True
            yield CheckResult(
                Level.WRONG, str(error), f"see {setting.name} in the settings"
            )
    if broken:
        return
    try:
        mechanism = mechanism_for(settings.AUTH_TYPE.read())
        check_settings(mechanism)
    except VestibuleError as error:
        yield CheckResult(
            Level.WRONG, str(error), "the server does not start so"
        )
        return
    yield CheckResult(Level.GOOD, "every setting has a value that it may have")
    yield from _mechanism(mechanism)
    if not settings.is_hardened():
        yield CheckResult(
            Level.WEAK,
            "the profile is `contract`: errors of a login tell who has an"
            " account, and every user may use all user endpoints",
            "SECURITY_PROFILE=hardened, unless existing clients need these"
            " answers",
        )


def _env_file(unknown: set[str]) -> Iterator[CheckResult]:
    """Look at the file of settings, if there is one."""
    name = settings.ENV_FILE.read()
    if unknown:
        yield CheckResult(
            Level.WEAK,
            f"{name} has names that are no settings:"
            f" {', '.join(sorted(unknown))}",
            "mend the name, if another program does not need it",
        )
    if env_file.is_readable_by_others():
        yield CheckResult(
            Level.WEAK,
            f"others on this machine may read {name}, and its secrets",
            f"chmod 600 {name}",
        )


def _mechanism(mechanism: type[Auth] | None) -> Iterator[CheckResult]:
    """Look at who may come in and for how long."""
    if mechanism is None:
        yield CheckResult(
            Level.WRONG,
            "AUTH_TYPE is not set: every route is open to everybody",
            "AUTH_TYPE=session_db_auth",
        )
        return
    if not issubclass(mechanism, SessionAuth):
        return
    name = settings.SESSION_NAME.read()
    if name is None:
        yield CheckResult(
            Level.WRONG,
            "SESSION_NAME is not set: nobody can log in",
            "SESSION_NAME=__Host-session behind TLS",
        )
    elif not name.startswith("__Host-"):
        yield CheckResult(
            Level.WEAK,
            f"{name} is a cookie that other hosts of the domain can replace",
            "SESSION_NAME=__Host-session behind TLS",
        )
    if settings.COOKIE_SECURE.read() != "always":
        yield CheckResult(
            Level.WEAK,
            "the cookie is kept off unencrypted connections only where the"
            " login came by TLS",
            "COOKIE_SECURE=always behind TLS",
        )
    limits = mechanism().limits()
    if limits.endless:
        yield CheckResult(
            Level.WRONG,
            "sessions never expire",
            "SESSION_IDLE_TIMEOUT=1800 and SESSION_MAX_AGE=43200",
        )
    else:
        yield CheckResult(Level.GOOD, "sessions expire")


def _database() -> Iterator[CheckResult]:
    """Look at the database: is it there, current, sound and private."""
    try:
        database = engine.configured_database()
        shown = health.address(database)
        if not health.exists(database):
            yield CheckResult(
                Level.WEAK,
                f"there is no database at {shown} yet",
                "the first start of the server makes it",
            )
            return
        found = health.revision(database)
        if found != health.EXPECTED_REVISION:
            yield CheckResult(
                Level.WRONG,
                f"the schema is at revision {found}, not"
                f" {health.EXPECTED_REVISION}",
                migrate.mismatch_message(found)
                if migrate.is_newer(found)
                else command_line("db upgrade"),
            )
            return
        for fault in health.integrity_errors(database):
            yield CheckResult(Level.WRONG, fault, "restore a backup")
        yield CheckResult(Level.GOOD, f"the database at {shown} is current")
        yield from _sqlite(database)
        yield from _accounts()
        yield from _workers()
    except VestibuleError as error:
        yield CheckResult(Level.WRONG, str(error), "see DATABASE_URL")


def _sqlite(database: engine.Database) -> Iterator[CheckResult]:
    """Look at the file of an SQLite database, and at SQLite itself."""
    if not database.is_sqlite:
        return
    version = drivers.sqlite_driver().sqlite_version_info
    if version < drivers.FIRST_SAFE_WAL_VERSION:
        yield CheckResult(
            Level.WEAK,
            f"SQLite {'.'.join(map(str, version))} may corrupt a write-ahead"
            " log, so none is used: writing is slower",
            "install pysqlite3, which carries a newer one",
        )
    if health.is_readable_by_others(database):
        yield CheckResult(
            Level.WRONG,
            "others on this machine may read the database file",
            f"chmod 600 {database.url.database}",
        )


def _accounts() -> Iterator[CheckResult]:
    """Look at who could administer the service."""
    # `search` finds nobody by what is private, and a role is.
    if not any(
        user.role == Role.ADMIN and user.disabled_at is None
        for user in User.all()
    ):
        yield CheckResult(
            Level.WEAK,
            "no user is an admin: nobody can end other people's sessions",
            command_line("users role EMAIL admin"),
        )


def _workers() -> Iterator[CheckResult]:
    """Look for worker processes that ended unexpectedly."""
    wanted = events.EventFilter(
        kind=EventType.WORKER_EXITED.value,
        since=clock.now() - timedelta(days=RECENT_DAYS),
    )
    found = events.fetch_page(wanted, MAX_EXITS_COUNTED).events
    if found:
        last = found[0]
        yield CheckResult(
            Level.WEAK,
            f"workers ended unexpectedly in the last {RECENT_DAYS} days"
            f" (events found: {len(found)}), last at"
            f" {last.at.isoformat(timespec='seconds')} by {last.reason}",
            "look for 'ended unexpectedly' in the log, and at the stacks"
            " before it; after SIGKILL, look at the machine's memory",
        )
