#!/usr/bin/env python3
"""The security log: one JSON line for each thing that matters.

Its law: who, from where, what, with which outcome, in UTC; never a
password, a token or a line break from outside (OWASP ASVS 5.0, 16.2 and
16.3). It is written where the rule is, so it makes no difference whether
the API, a page or a command asks. A command shows no line to its user: what
it did is in the journal.
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

#: How an actor is called who is no user: somebody at the command line.
COMMAND_LINE = "cli:"


class EventType(StrEnum):
    """What may happen to an account, a session or a worker process."""

    LOGIN = "login"
    LOGIN_FAILED = "login_failed"
    THROTTLED = "throttled"
    REAUTHENTICATED = "reauthenticated"
    LOGOUT = "logout"
    SESSION_REVOKED = "session_revoked"
    SESSIONS_REVOKED = "sessions_revoked"
    SESSION_REFUSED = "session_refused"
    CROSS_SITE_REFUSED = "cross_site_refused"
    USER_ADDED = "user_added"
    USER_REMOVED = "user_removed"
    USER_DISABLED = "user_disabled"
    USER_ENABLED = "user_enabled"
    ROLE_CHANGED = "role_changed"
    EMAIL_CHANGED = "email_changed"
    PASSWORD_CHANGED = "password_changed"
    USER_UNLOCKED = "user_unlocked"
    RESET_CODE_ISSUED = "reset_code_issued"
    PASSWORD_RESET = "password_reset"
    WORKER_EXITED = "worker_exited"


class Traced(Protocol):
    """What a request tells of itself when there is something to log."""

    @property
    def request_id(self) -> str:
        """Return a name for the request that no other has."""

    @property
    def client_address(self) -> str | None:
        """Return the address of the client, as far as it is believed."""

    @property
    def client_program(self) -> str | None:
        """Return the program of the client, in its own words."""


class AuditRecord(NamedTuple):
    """What a line is made of."""

    event: EventType
    at: datetime
    fields: Mapping[str, str | int | None]
    #: The request that is answered; none, in a script.
    request: Traced | None


Reader = Callable[[AuditRecord], None]

_request: ContextVar[Traced | None] = ContextVar("request", default=None)
_reader: Reader | None = None


def begin_request(request: Traced | None) -> None:
    """Say which request is answered from now on; none, in a script."""
    _request.set(request)


def set_listener(reader: Reader | None) -> None:
    """Let `reader` have each line from now on too; none, let nobody.

    It is called where the line is written, so it must not raise, and in a
    server it must not take long.
    """
    global _reader
    _reader = reader


def log(event: EventType, **fields: str | int | None) -> None:
    """Write a line about `event`; what is `None` is left out."""
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
    line = {name: value for name, value in known.items() if value is not None}
    counters().happened(event.value)
    logging.getLogger(AUDIT_LOGGER).info(
        "%s", json.dumps(line, sort_keys=True)
    )
    if _reader is not None:
        _reader(AuditRecord(event, now, fields, request))
