#!/usr/bin/env python3
"""What the start says about the settings: refusals and warnings."""

import os
import sys
from collections.abc import Iterator

from vestibule.core import settings
from vestibule.core.errors import ConfigurationError
from vestibule.db import drivers
from vestibule.db.engine import database
from vestibule.db.models.user import User
from vestibule.identity.header import open_signer
from vestibule.mechanisms.auth import Auth
from vestibule.mechanisms.session_auth import SessionAuth
from vestibule.mechanisms.session_db_auth import SessionDBAuth
from vestibule.web.routes import has_pages


def check_settings(mechanism: type[Auth] | None) -> None:
    """Raise `BadSetting` for settings that cannot be served together."""
    for setting in settings.ALL:
        setting.read()
    if has_pages(mechanism):
        # With Flask in tow, which the command line has no use for.
        from vestibule.web.assets import bundle

        bundle()
    # A key that cannot sign is refused here, before workers are.
    open_signer()
    if settings.is_hardened() and settings.SESSION_DURATION.read() is None:
        raise ConfigurationError("SESSION_DURATION", "must be whole seconds")
    name = settings.SESSION_NAME.read()
    if settings.SESSION_NAME_HOST_PREFIX.read() and (
        name is not None and not name.startswith("__Host-")
    ):
        raise ConfigurationError("SESSION_NAME", "must begin with __Host-")
    workers = settings.WORKERS.read()
    if workers > 1 and _in_memory(mechanism):
        raise ConfigurationError(
            "WORKERS",
            f"must be 1, not {workers}: this AUTH_TYPE keeps its sessions in"
            " the memory of one process; session_db_auth shares them",
        )


def startup_warnings(mechanism: type[Auth] | None) -> Iterator[str]:
    """Yield what the operator should know before the first request."""
    if mechanism is None:
        yield "AUTH_TYPE is not set: every route is open to everybody"
    elif issubclass(mechanism, SessionAuth):
        if settings.SESSION_NAME.read() is None:
            yield "SESSION_NAME is not set: nobody can log in"
        if mechanism().limits().endless:
            yield (
                "sessions never expire: SESSION_DURATION, SESSION_MAX_AGE"
                " and SESSION_IDLE_TIMEOUT set no limit"
            )
    if settings.WEB_PAGES.read() and not has_pages(mechanism):
        yield "WEB_PAGES is on, but AUTH_TYPE has no sessions: no pages"
    if has_pages(mechanism) and (
        settings.REGISTRATION.read() == "open"
        and settings.AUTHZ_POLICY.read() == "open"
    ):
        yield (
            "REGISTRATION and AUTHZ_POLICY are open: any stranger may list"
            " and delete the users; set AUTHZ_POLICY=self"
        )
    version = drivers.sqlite_driver().sqlite_version_info
    if database().is_sqlite and version < drivers.FIRST_SAFE_WAL_VERSION:
        yield (
            f"SQLite {'.'.join(map(str, version))} may corrupt a write-ahead"
            " log: it is not used, which makes writing slower"
        )
    # Where there are pages, the first admin is made on one of them.
    if not has_pages(mechanism) and not User.count():
        python = sys.executable.removeprefix(os.getcwd() + os.sep)
        yield (
            "there is no user yet; add one:"
            f" {python} -m vestibule users add you@example.com"
        )


def _in_memory(mechanism: type[Auth] | None) -> bool:
    """Tell whether the mechanism keeps sessions in its process alone."""
    return (
        mechanism is not None
        and issubclass(mechanism, SessionAuth)
        and not issubclass(mechanism, SessionDBAuth)
    )
