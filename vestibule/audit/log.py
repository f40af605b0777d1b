#!/usr/bin/env python3
"""The security log: one JSON line for each security event.

A line names the user, the client, the event and its outcome, in UTC. It
never has a password, a token or a line break from outside (OWASP ASVS 5.0,
16.2 and 16.3), and its length has a bound. The code that enforces a rule
writes the line, so the API, the pages and the commands log alike. Commands
print no lines; their events are in the database.
"""

import json
import logging
from collections.abc import Callable, Mapping
from contextvars import ContextVar
from datetime import datetime
from enum import StrEnum
from typing import NamedTuple, Protocol

from vestibule.core import clock
from vestibule.core.logging import AUDIT_LOGGER
from vestibule.metrics.counters import counters

#: Characters of a field in a line; a client chooses how long a path is.
MAX_FIELD_LENGTH = 512
#: The prefix of an actor at the command line, who is not a user.
COMMAND_LINE = "cli:"


class EventType(StrEnum):
    """The events of accounts, sessions and worker processes."""

    LOGIN = "login"
    LOGIN_FAILED = "login_failed"
    #: The right password of a disabled account.
    LOGIN_DISABLED = "login_disabled"
    THROTTLED = "throttled"
    REAUTHENTICATED = "reauthenticated"
    LOGOUT = "logout"
    SESSION_REVOKED = "session_revoked"
    SESSIONS_REVOKED = "sessions_revoked"
    SESSION_REFUSED = "session_refused"
    CROSS_SITE_REFUSED = "cross_site_refused"
    ACCESS_DENIED = "access_denied"
    CODE_REFUSED = "code_refused"
    USER_ADDED = "user_added"
    USER_REMOVED = "user_removed"
    USER_DISABLED = "user_disabled"
    USER_ENABLED = "user_enabled"
    ROLE_CHANGED = "role_changed"
    EMAIL_CHANGED = "email_changed"
    EMAIL_REFUSED = "email_refused"
    PASSWORD_CHANGED = "password_changed"
    USER_UNLOCKED = "user_unlocked"
    RESET_CODE_ISSUED = "reset_code_issued"
    RESET_REQUESTED = "reset_requested"
    PASSWORD_RESET = "password_reset"
    EMAIL_CONFIRMED = "email_confirmed"
    INVITATION_REVOKED = "invitation_revoked"
    #: A mail of the queue is sent again, or never; the reason is its kind.
    MAIL_RETRIED = "mail_retried"
    MAIL_DROPPED = "mail_dropped"
    #: A right password, after which the login waits for a second factor.
    SECOND_FACTOR_REQUIRED = "second_factor_required"
    SECOND_FACTOR_REFUSED = "second_factor_refused"
    FACTOR_ADDED = "factor_added"
    FACTOR_REMOVED = "factor_removed"
    FACTOR_RENAMED = "factor_renamed"
    #: An admin made a link with which a user removes all second factors.
    FACTOR_RESET_ISSUED = "factor_reset_issued"
    FACTORS_RESET = "factors_reset"
    #: Too many wrong codes in a row.
    FACTOR_SWITCHED_OFF = "factor_switched_off"
    #: The answer of an authenticator; the reason says what was wrong.
    PASSKEY_REFUSED = "passkey_refused"
    BROWSER_TRUSTED = "browser_trusted"
    RECOVERY_CODE_USED = "recovery_code_used"
    RECOVERY_CODES_REPLACED = "recovery_codes_replaced"
    WORKER_EXITED = "worker_exited"


class RequestInfo(Protocol):
    """What the log needs to know of the current request."""

    @property
    def request_id(self) -> str:
        """Return the unique id of the request."""

    @property
    def client_address(self) -> str | None:
        """Return the client's address, as trusted proxies report it."""

    @property
    def client_program(self) -> str | None:
        """Return the User-Agent of the client."""


class AuditRecord(NamedTuple):
    """One event, as it is logged and stored."""

    event: EventType
    at: datetime
    fields: Mapping[str, str | int | None]
    #: The current request; `None` in a script.
    request: RequestInfo | None


Listener = Callable[[AuditRecord], None]

_request: ContextVar[RequestInfo | None] = ContextVar("request", default=None)
_listener: Listener | None = None


def begin_request(request: RequestInfo | None) -> None:
    """Set the current request of this context; `None` in a script."""
    _request.set(request)


def set_listener(listener: Listener | None) -> None:
    """Call `listener` with each record from now on; `None` removes it.

    It is called by the thread that logs, so it must not raise, and in a
    server it must return quickly.
    """
    global _listener
    _listener = listener


def log(event: EventType, **fields: str | int | None) -> None:
    """Write a line about `event`; fields that are `None` are omitted."""
    now = clock.now()
    known: dict[str, str | int | None] = {
        "time": now.isoformat(timespec="milliseconds"),
        "event": event.value,
        **fields,
    }
    request = _request.get()
    if request is not None:
        known["request"] = request.request_id
        known["ip"] = request.client_address
    line = {
        name: value[:MAX_FIELD_LENGTH] if isinstance(value, str) else value
        for name, value in known.items()
        if value is not None
    }
    counters().count_event(event.value)
    logging.getLogger(AUDIT_LOGGER).info(
        "%s", json.dumps(line, sort_keys=True)
    )
    if _listener is not None:
        _listener(AuditRecord(event, now, fields, request))
