#!/usr/bin/env python3
"""The checks of `doctor`: those of each start, and more.

They create no database, and write only one row, to find out if the database
takes writes. Each result that is not good has a hint that names what to set
or to run.
"""

from collections.abc import Iterator
from datetime import timedelta

from vestibule.audit.log import EventType
from vestibule.checks.deployment import check_deployment
from vestibule.checks.mail import mail_queue, mail_server
from vestibule.checks.settings import Check, CheckResult, Level
from vestibule.checks.startup import (
    DATABASE_CHECKS,
    SETTINGS_CHECKS,
    check_settings,
)
from vestibule.core import clock, env_file, settings
from vestibule.core.command_line import command_line
from vestibule.core.errors import VestibuleError
from vestibule.db import engine, events, migrate, user_search
from vestibule.db.models.user import Role, User
from vestibule.mechanisms import mechanism_for
from vestibule.mechanisms.auth import Auth
from vestibule.mechanisms.session_auth import SessionAuth

#: Days for which the unexpected exit of a worker is reported.
RECENT_DAYS = 7
#: Exits of workers that are counted.
MAX_EXITS_COUNTED = 100


def run_checks(url: str | None = None) -> Iterator[CheckResult]:
    """Yield the results of all checks, and of the service at `url`.

    Checks that need valid settings do not run without them, and those that
    need a database do not run without one.
    """
    yield from _run_local_checks()
    if url is not None:
        yield from check_deployment(url)


def _run_local_checks() -> Iterator[CheckResult]:
    """Yield the results of the checks of settings and database."""
    try:
        unknown = env_file.load()
    except VestibuleError as error:
        yield _refused(error)
        return
    yield from _env_file(unknown)
    invalid = list(_setting_values())
    if invalid:
        yield from invalid
        return
    try:
        mechanism = mechanism_for(settings.AUTH_TYPE.read())
        check_settings(mechanism)
    except VestibuleError as error:
        yield _refused(error)
        return
    yield CheckResult(
        "settings.values", Level.GOOD, "every setting has a valid value"
    )
    for check in (*SETTINGS_CHECKS, *MORE_SETTINGS_CHECKS):
        yield from check(mechanism)
    try:
        found = list(_database_file())
        yield from found
        if found[-1].level is Level.GOOD:
            for check in (*DATABASE_CHECKS, *MORE_DATABASE_CHECKS):
                yield from check(mechanism)
    except VestibuleError as error:
        yield CheckResult(
            "database.reachable",
            Level.WRONG,
            str(error),
            "see DATABASE_URL",
        )


def _refused(error: VestibuleError) -> CheckResult:
    """Return the result for settings with which no server starts."""
    return CheckResult(
        "settings.refused",
        Level.WRONG,
        str(error),
        "the server does not start with this",
    )


def _env_file(unknown: set[str]) -> Iterator[CheckResult]:
    """Check the file of settings, if there is one."""
    name = settings.ENV_FILE.read()
    if unknown:
        yield CheckResult(
            "env_file.names",
            Level.WEAK,
            f"{name} has names that are no settings:"
            f" {', '.join(sorted(unknown))}",
            "correct the names, unless another program needs them",
        )
    if env_file.is_readable_by_others():
        yield CheckResult(
            "env_file.mode",
            Level.WEAK,
            f"other users of this machine can read {name}, and its secrets",
            f"chmod 600 {name}",
        )


def _setting_values() -> Iterator[CheckResult]:
    """Yield a result for each setting whose value is invalid."""
    for setting in settings.ALL:
        try:
            setting.read()
        except VestibuleError as error:
            yield CheckResult(
                "settings.values",
                Level.WRONG,
                str(error),
                f"see {setting.name} in the settings",
            )


def _profile(_: type[Auth] | None) -> Iterator[CheckResult]:
    """Check which answers the service gives to strangers and members."""
    if settings.SECURITY_PROFILE.read() == "contract":
        yield CheckResult(
            "settings.profile",
            Level.WEAK,
            "the profile is `contract`: login errors reveal who has an"
            " account, and every user may use all user endpoints",
            "SECURITY_PROFILE=standard, unless existing clients need these"
            " responses",
        )


def _cookie(mechanism: type[Auth] | None) -> Iterator[CheckResult]:
    """Check that the session cookie is protected as well as it can be."""
    if mechanism is None or not issubclass(mechanism, SessionAuth):
        return
    name = settings.SESSION_NAME.read()
    if name is not None and not name.startswith("__Host-"):
        yield CheckResult(
            "cookie.prefix",
            Level.WEAK,
            f"other hosts of the domain can replace the cookie {name}",
            "SESSION_NAME=__Host-session behind TLS",
        )
    domain = settings.COOKIE_DOMAIN.read()
    if domain is not None:
        yield CheckResult(
            "cookie.domain",
            Level.WEAK,
            f"every host of {domain} gets the session cookie, and can use or"
            " replace it",
            "unset COOKIE_DOMAIN if one host is enough",
        )
    if settings.COOKIE_SECURE.read() != "always":
        yield CheckResult(
            "cookie.secure",
            Level.WEAK,
            "only a login over TLS gets a cookie that browsers keep off"
            " unencrypted connections",
            "COOKIE_SECURE=always behind TLS",
        )


def _database_file() -> Iterator[CheckResult]:
    """Check that the database is there, current and undamaged."""
    database = engine.configured_database()
    shown = migrate.address(database)
    if not migrate.exists(database):
        yield CheckResult(
            "database.exists",
            Level.WEAK,
            f"there is no database at {shown} yet",
            "the first start of the server makes it",
        )
        return
    found = migrate.schema(database)
    if not found.is_current:
        yield CheckResult(
            "database.schema",
            Level.WRONG,
            f"the schema is at revision {found.revision}, not"
            f" {migrate.EXPECTED_REVISION}",
            migrate.mismatch_message(found.revision)
            if migrate.is_newer(found.revision)
            else command_line("db upgrade"),
        )
        return
    for fault in migrate.integrity_errors(database):
        yield CheckResult(
            "database.integrity", Level.WRONG, fault, "restore a backup"
        )
    yield CheckResult(
        "database.schema", Level.GOOD, f"the database at {shown} is current"
    )


def _emails(_: type[Auth] | None) -> Iterator[CheckResult]:
    """Check that each user can sign in with the stored email."""
    for user in user_search.users_without_own_email():
        yield CheckResult(
            "users.same_email",
            Level.WRONG,
            f"the user {user.id} cannot sign in: an older user has the same"
            f" email, {user.email!a}",
            command_line(f"users email {user.id} NEW_EMAIL"),
        )


def _admins(_: type[Auth] | None) -> Iterator[CheckResult]:
    """Check that there is an admin."""
    # `User.search` does not search by private attributes, such as a role.
    if not any(
        user.role == Role.ADMIN and user.disabled_at is None
        for user in User.all()
    ):
        yield CheckResult(
            "users.admin",
            Level.WEAK,
            "no user is an admin: sessions of other users cannot be ended",
            command_line("users role EMAIL admin"),
        )


def _worker_exits(_: type[Auth] | None) -> Iterator[CheckResult]:
    """Check for worker processes that ended unexpectedly."""
    wanted = events.EventFilter(
        kind=EventType.WORKER_EXITED.value,
        since=clock.now() - timedelta(days=RECENT_DAYS),
    )
    found = events.fetch_page(wanted, MAX_EXITS_COUNTED).events
    if found:
        last = found[0]
        yield CheckResult(
            "server.worker_exits",
            Level.WEAK,
            f"workers ended unexpectedly in the last {RECENT_DAYS} days"
            f" (events found: {len(found)}), last at"
            f" {last.at.isoformat(timespec='seconds')} by {last.reason}",
            "look for 'ended unexpectedly' in the log, and at the stacks"
            " before it; after SIGKILL, look at the machine's memory",
        )


#: Checks of settings that no start warns of.
MORE_SETTINGS_CHECKS: tuple[Check, ...] = (_cookie, _profile, mail_server)
#: Checks of the database that no start warns of.
MORE_DATABASE_CHECKS: tuple[Check, ...] = (
    _emails,
    _admins,
    _worker_exits,
    mail_queue,
)
