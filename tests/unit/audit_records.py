#!/usr/bin/env python3
"""Audit records, and a store of events that a test can make fail."""

import threading
from collections.abc import Sequence
from datetime import datetime, timezone

from vestibule.audit.log import AuditRecord, EventType
from vestibule.db.events import Event

NOW = datetime(2026, 3, 29, 0, 30, tzinfo=timezone.utc)


class ClientRequest:
    """A request with an address and a user agent."""

    request_id = "r"

    def __init__(self, address: str | None, program: str | None) -> None:
        """Come from an address and a program."""
        self.client_address = address
        self.client_program = program


class EventStore:
    """A store of events that raises `error` while that is set."""

    def __init__(self) -> None:
        """Start without events and without an error."""
        self.kept: list[Event] = []
        self.error: Exception | None = None
        self.tried = threading.Semaphore(0)

    def store(self, events: Sequence[Event]) -> None:
        """Keep the events, or raise the error."""
        self.tried.release()
        if self.error is not None:
            raise self.error
        self.kept += events


def audit_record(
    event: EventType = EventType.LOGIN,
    address: str | None = "10.0.0.1",
    **fields: str,
) -> AuditRecord:
    """Return a record of the security log."""
    request = ClientRequest(address, "curl/8")
    return AuditRecord(event, NOW, fields, request)
