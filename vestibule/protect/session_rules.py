#!/usr/bin/env python3
"""The rules of sessions in process: those of the service.

The service stores its rules in the database when it starts. They count
here, so that no application lets a session pass that the service refuses.
"""

import logging
import os
from dataclasses import replace
from typing import Any

from vestibule.core import (
    access_settings,
    clock,
    page_settings,
    setting_types,
    settings,
)
from vestibule.core.errors import (
    ConfigurationError,
    DatabaseUnavailable,
    SchemaMismatch,
)
from vestibule.db import migrate, session_rules
from vestibule.db.engine import configured_database
from vestibule.mechanisms.session_exp_auth import SessionExpAuth
from vestibule.sessions.lifetime import Limits, seconds

_log = logging.getLogger(__name__)

#: Seconds after which the stored rules are read again: the service may
#: have started with others.
RELOAD_SECONDS = 30.0
#: Names that differ only mean that no session is found; the application
#: would be closed to every user.
_SAME_NAMES = (settings.AUTH_TYPE, settings.SESSION_NAME)


#: Settings that the stored rules give a value, if this process sets none.
_GIVEN: tuple[settings.Setting[object], ...] = (
    page_settings.APP_HOSTS,
    access_settings.REQUIRE_MFA,
    access_settings.MFA_GRACE,
)


class InProcessRules:
    """The rules that the service has stored, read at intervals."""

    def __init__(self) -> None:
        """Read them; raise `ConfigurationError` without a database.

        A file that does not exist would be made, empty, by the first use:
        every user would be unknown, and nothing would say why.
        """
        self._rules: dict[str, str] = {}
        self._due = clock.monotonic()
        try:
            _require_schema()
            self.reload()
        except DatabaseUnavailable as error:
            # Requests get 503 until it answers; then they read the rules.
            _log.warning("the rules of sessions cannot be read: %s", error)
        missing = {
            setting.name: self._rules[setting.name]
            for setting in _SAME_NAMES
            if self._rules.get(setting.name)
            and not setting_types.is_given(setting)
        }
        setting_types.give(missing)
        for setting in _SAME_NAMES:
            stored = self._rules.get(setting.name)
            if stored and setting.text() != stored:
                raise ConfigurationError(
                    setting.name,
                    f"must be {stored}, as the service has it, or unset",
                )

    def are_due(self) -> bool:
        """Return True if the rules have to be read again."""
        return clock.monotonic() >= self._due

    def reload(self) -> None:
        """Read the rules; raise `DatabaseUnavailable` if that fails."""
        self._rules = session_rules.load()
        for setting in _GIVEN:
            if not setting_types.is_set(setting):
                value = self._rules.get(setting.name, "")
                setting_types.give({setting.name: value})
        self._due = clock.monotonic() + RELOAD_SECONDS

    def apply_to(self, auth: Any) -> None:
        """Give a mechanism with sessions the limits of the service.

        Without stored rules it keeps those of this process's settings.
        """
        if not self._rules or not isinstance(auth, SessionExpAuth):
            return
        duration = self._value(settings.SESSION_DURATION) or 0
        limits = Limits(
            max_age=seconds(self._value(settings.SESSION_MAX_AGE) or 0),
            idle=seconds(self._value(settings.SESSION_IDLE_TIMEOUT) or 0),
            touch=seconds(self._value(settings.SESSION_TOUCH_INTERVAL) or 0),
        )
        known = replace(limits, duration=seconds(duration))
        if auth.limits() != known:
            auth.set_limits(limits, duration)

    def _value(self, setting: settings.Setting[int | None]) -> int | None:
        """Return the stored value of a setting, which the service parsed."""
        return setting.parse(self._rules.get(setting.name) or None)


def _require_schema() -> None:
    """Raise `ConfigurationError` unless the database has our tables.

    Raise `SchemaMismatch` if another version made them. An upgrade by an
    application would stop a service of the older version.
    """
    opened = configured_database()
    try:
        path = opened.url.database or ""
        is_there = not opened.is_sqlite or os.path.exists(path)
        found = migrate.revision(opened) if is_there else None
    finally:
        opened.close()
    if found is None:
        raise ConfigurationError(
            "DATABASE_URL",
            "must name the database of the service: there are no tables of"
            " Vestibule in this one",
        )
    if found != migrate.EXPECTED_REVISION:
        raise SchemaMismatch(
            f"the service's database has the schema {found}, and this"
            f" application works with {migrate.EXPECTED_REVISION}: install"
            " the version of the service here, or upgrade the service first"
        )
