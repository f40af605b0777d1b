#!/usr/bin/env python3
"""The table session_rules: the rules of sessions that the service has.

The service stores them, and an application in process reads them. With
rules of its own it would let a session pass that the service refuses.
"""

from collections.abc import Mapping

from sqlalchemy import delete, insert, select

from vestibule.core import access_settings, page_settings, settings
from vestibule.db.engine import database
from vestibule.db.tables import SESSION_RULES

#: The settings that both must have.
SETTINGS: tuple[settings.Setting[object], ...] = (
    settings.AUTH_TYPE,
    settings.SESSION_NAME,
    settings.SESSION_DURATION,
    settings.SESSION_IDLE_TIMEOUT,
    settings.SESSION_MAX_AGE,
    settings.SESSION_TOUCH_INTERVAL,
    page_settings.APP_HOSTS,
    access_settings.REQUIRE_MFA,
    access_settings.MFA_GRACE,
)


def current() -> dict[str, str]:
    """Return the rules of this process by the names of the settings."""
    rules = {setting.name: setting.text() or "" for setting in SETTINGS}
    return rules | {
        access_settings.REQUIRE_MFA.name: access_settings.required_of()
    }


def load() -> dict[str, str]:
    """Return the stored rules; empty if no service has stored any."""
    return {
        row.name: row.value
        for row in database().fetch_all(select(SESSION_RULES))
    }


def store(rules: Mapping[str, str]) -> None:
    """Replace the stored rules, unless they are the same."""
    if load() == rules:
        return
    rows = [{"name": name, "value": value} for name, value in rules.items()]
    with database().transaction() as connection:
        connection.execute(delete(SESSION_RULES))
        connection.execute(insert(SESSION_RULES), rows)
