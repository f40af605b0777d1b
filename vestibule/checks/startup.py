#!/usr/bin/env python3
"""The checks that each start runs: settings it refuses, and warnings.

A check yields results with an id, a level, a message and a hint, as those
of Django do. `vestibule.checks.doctor` shows them too, and has more. The
program of another server or application runs those that concern it.
"""

import logging
import os
import sys
from collections.abc import Iterator
from functools import cache

from vestibule.checks.mail import check_mail_settings
from vestibule.checks.settings import (
    Check,
    CheckResult,
    Level,
    check_empty_lists,
    check_names,
    check_secrets_key,
)
from vestibule.checks.sign_in import (
    check_access_settings,
    check_application_hosts,
    check_passkey_settings,
    check_required_factors,
    check_return_hosts,
    orphaned_passkeys,
)
from vestibule.core import crypto, page_settings, settings
from vestibule.core.access_settings import (
    IDENTITY_HEADER,
    IDENTITY_HOSTS,
    has_secrets_key,
)
from vestibule.core.errors import ConfigurationError, VestibuleError
from vestibule.core.setting_types import (
    has_cookie_prefix,
    is_hardened,
    is_too_wide,
)
from vestibule.core.threads import claim_process
from vestibule.db import drivers, migrate
from vestibule.db.engine import configured_database, database
from vestibule.db.models.user import User
from vestibule.db.statements import write_check_row
from vestibule.identity.header import open_signer
from vestibule.mechanisms import mechanism_for
from vestibule.mechanisms.auth import Auth
from vestibule.mechanisms.session_auth import SessionAuth
from vestibule.mechanisms.session_db_auth import SessionDBAuth
from vestibule.web.routes import has_pages

_log = logging.getLogger(__name__)


def check_settings(mechanism: type[Auth] | None) -> None:
    """Raise `ConfigurationError` if the settings do not allow a start.

    Each setting must have a valid value; none may contradict another.
    """
    check_values()
    if has_pages(mechanism):
        # This imports Flask, which the command line does not need.
        from vestibule.web.assets import bundle

        bundle()
        _check_registration()
    # A key that is invalid ends the start, not a request.
    open_signer()
    if has_secrets_key():
        crypto.key_ring()
    if IDENTITY_HEADER.read() and not IDENTITY_HOSTS.read():
        raise ConfigurationError(
            "IDENTITY_HOSTS",
            "must list the hosts of your applications, such as app.example:"
            " IDENTITY_HEADER signs identities for these only, because a"
            " client can name any host",
        )
    if is_hardened() and settings.SESSION_DURATION.read() is None:
        raise ConfigurationError("SESSION_DURATION", "must be whole seconds")
    base_path = settings.BASE_PATH.read()
    if base_path and any(
        f"{path}/".startswith(f"{base_path}/")
        for path in ("/api/v1", "/healthz", "/readyz", "/metrics")
    ):
        raise ConfigurationError(
            "BASE_PATH",
            "must not be one of the service's own paths, or the beginning of"
            " one",
        )
    check_cookie()
    check_application_hosts(mechanism)
    check_mail_settings()
    check_passkey_settings()
    check_access_settings(mechanism)
    check_workers(mechanism)


def check_values() -> None:
    """Refuse a value that its setting does not allow."""
    for setting in settings.ALL:
        setting.read()


def check_workers(mechanism: type[Auth] | None) -> None:
    """Refuse several workers that would not see each other's sessions."""
    workers = settings.WORKERS.read()
    if workers > 1 and has_sessions_in_memory(mechanism):
        raise ConfigurationError(
            "WORKERS",
            f"must be 1, not {workers}: this AUTH_TYPE keeps its sessions in"
            " the memory of one process; session_db_auth shares them",
        )


def _check_registration() -> None:
    """Refuse open registration with a policy that is open, too."""
    if (
        page_settings.REGISTRATION.read() == "open"
        and settings.AUTHZ_POLICY.read() == "open"
    ):
        raise ConfigurationError(
            "REGISTRATION",
            "must be closed while AUTHZ_POLICY is open: any stranger could"
            " list, rename and delete the users; set AUTHZ_POLICY=self",
        )


def check_cookie() -> None:
    """Refuse a name of the session cookie that browsers would reject."""
    name = settings.SESSION_NAME.read()
    if name is None:
        return
    has_prefix = name.startswith("__Host-")
    if settings.SESSION_NAME_HOST_PREFIX.read() and not has_prefix:
        raise ConfigurationError("SESSION_NAME", "must begin with __Host-")
    if settings.COOKIE_DOMAIN.read() is not None and (
        has_cookie_prefix(name, "__host-")
    ):
        raise ConfigurationError(
            "COOKIE_DOMAIN",
            "must be unset with a SESSION_NAME that begins with __Host-:"
            " browsers reject such a cookie for a whole domain",
        )


def startup_warnings(mechanism: type[Auth] | None) -> Iterator[str]:
    """Yield each problem that a start finds, with its hint."""
    yield from warnings_of((*SETTINGS_CHECKS, *DATABASE_CHECKS), mechanism)


@cache
def log_settings_warnings() -> None:
    """Log the warnings about the settings, once.

    Workers that are forked later do not log them again. The database stays
    closed: a script that imports the application opens nothing.
    """
    mechanism = mechanism_for(settings.AUTH_TYPE.read())
    for warning in warnings_of(SETTINGS_CHECKS, mechanism):
        _log.warning(warning)


def log_startup_warnings() -> None:
    """Log all warnings of a start, whose database has been opened."""
    log_settings_warnings()
    mechanism = mechanism_for(settings.AUTH_TYPE.read())
    for warning in warnings_of(DATABASE_CHECKS, mechanism):
        _log.warning(warning)


def warnings_of(
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
    is_for_tls = settings.COOKIE_SECURE.read() == "always" or (
        has_cookie_prefix(name, "__host-", "__secure-", "__http-")
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
    """Check that pages have sessions."""
    if page_settings.WEB_PAGES.read() and not has_pages(mechanism):
        yield CheckResult(
            "pages.sessions",
            Level.WEAK,
            "WEB_PAGES is on, but AUTH_TYPE has no sessions: no pages",
            "AUTH_TYPE=session_db_auth, or WEB_PAGES=off",
        )


def check_proxies(_: type[Auth] | None) -> Iterator[CheckResult]:
    """Check that clients cannot count as proxies."""
    proxies, hops = (
        settings.TRUSTED_PROXIES.read(),
        settings.TRUSTED_HOPS.read(),
    )
    wide = [network for network in proxies if is_too_wide(network)]
    if hops and not proxies:
        yield CheckResult(
            "proxies.hops",
            Level.WRONG,
            "TRUSTED_HOPS has no effect: no proxy is in TRUSTED_PROXIES",
            "TRUSTED_PROXIES=<addresses of the proxies>",
        )
    elif wide and not hops:
        yield CheckResult(
            "proxies.wide",
            Level.WRONG,
            f"TRUSTED_PROXIES has {', '.join(map(str, wide))}: any client"
            " counts as a proxy and can choose its address",
            "name the addresses of the proxies, or set TRUSTED_HOPS to their"
            " number",
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


def _database_mode(_: type[Auth] | None) -> Iterator[CheckResult]:
    """Check that only its owner can use a database file."""
    opened = configured_database()
    if opened.is_sqlite and migrate.is_open_to_others(opened):
        yield CheckResult(
            "database.mode",
            Level.WRONG,
            "other users of this machine can use the database file",
            f"chmod 600 {opened.url.database}",
        )


def _writes(_: type[Auth] | None) -> Iterator[CheckResult]:
    """Check that the database takes writes, without which no login works."""
    try:
        write_check_row(database())
    except VestibuleError as error:
        yield CheckResult(
            "database.writes",
            Level.WRONG,
            f"the database takes no writes, so no user can log in: {error}",
            "make room on the disk, correct the owner and mode of the file, or"
            " let the database's server take writes",
        )
    else:
        yield CheckResult(
            "database.writes", Level.GOOD, "the database takes writes"
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


def has_sessions_in_memory(mechanism: type[Auth] | None) -> bool:
    """Return True if other processes do not see the sessions."""
    return (
        mechanism is not None
        and issubclass(mechanism, SessionAuth)
        and not issubclass(mechanism, SessionDBAuth)
    )


#: Checks that read settings alone.
SETTINGS_CHECKS: tuple[Check, ...] = (
    check_names,
    check_empty_lists,
    _authentication,
    _sessions,
    _cookie_security,
    check_return_hosts,
    _pages,
    check_proxies,
    check_secrets_key,
    check_required_factors,
)
#: Checks that need the database; they open it.
DATABASE_CHECKS: tuple[Check, ...] = (
    _sqlite_version,
    _writes,
    _database_mode,
    _first_user,
    orphaned_passkeys,
)
#: The checks that hold for an application in process too.
IN_PROCESS_CHECKS: tuple[Check, ...] = (
    check_names,
    check_empty_lists,
    check_proxies,
    check_secrets_key,
)


def check_embedded(mechanism: type[Auth] | None) -> None:
    """Run the checks of a start in the program of another server.

    gunicorn, `flask run` and `vestibule.flask` start nothing of ours that
    would run them. Log the warnings of the settings once; the database stays
    closed. Raise `ConfigurationError` as `check_settings` does, and if
    another worker of the same server has sessions in its memory.
    """
    check_settings(mechanism)
    if has_sessions_in_memory(mechanism):
        claim_process()
    log_settings_warnings()


def check_in_process(mechanism: type[Auth] | None) -> None:
    """Run the checks that concern `vestibule.protect` in process.

    It serves no pages and sends no mail, and the rules of sessions are those
    of the service, whose start has checked them. Raise `ConfigurationError`
    for the rest as `check_settings` does, and log the warnings that do not
    depend on the service's own settings.
    """
    check_values()
    check_cookie()
    check_workers(mechanism)
    if has_sessions_in_memory(mechanism):
        claim_process()
    for warning in warnings_of(IN_PROCESS_CHECKS, mechanism):
        _log.warning(warning)
