#!/usr/bin/env python3
"""The export of audit events: streamed, complete or marked as broken."""

from collections.abc import Iterator
from datetime import datetime, timedelta, timezone
from pathlib import Path

import pytest
import requests

from tests.e2e.server.accounts import account
from tests.serving import DB_SESSIONS, Server
from vestibule.audit.export import EXPORT_BATCH_SIZE
from vestibule.db.events import Event, insert_events

EXPORT = "/api/v1/events/export"
NUMBER = EXPORT_BATCH_SIZE + 500
#: A server that waits before its second batch while a file `held` exists,
#: and fails there while a file `broken` exists.
FAILING = """
import time
from pathlib import Path
from vestibule.server.granian import main
from vestibule.db import events
from vestibule.core.errors import DatabaseUnavailable

fetch_page = events.fetch_page

def failing(event_filter, limit, before=None):
    while before is not None and Path("held").exists():
        time.sleep(0.01)
    if before is not None and Path("broken").exists():
        raise DatabaseUnavailable("the disk is gone")
    return fetch_page(event_filter, limit, before)

events.fetch_page = failing
main()
"""


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    """Run a server with stored events whose export a test can stop."""
    running = Server(
        tmp_path,
        **DB_SESSIONS,
        API_DOCS="off",
    )
    running.program = ("-c", FAILING)
    now = datetime.now(timezone.utc)
    insert_events(
        [
            Event(
                now - timedelta(hours=1, seconds=number),
                "login",
                user_agent="x" * 1000,
            )
            for number in range(NUMBER)
        ]
    )
    running.start()
    yield running
    running.stop()


def exported(server: Server, cookie: str) -> requests.Response:
    """Request the export; the body is not read yet."""
    return server.request("GET", EXPORT, cookie, stream=True)


def test_export_is_streamed(server: Server) -> None:
    """The first events arrive while the database still holds back others."""
    cookie = account("admin").session_id
    held = server.folder / "held"
    held.touch()
    with exported(server, cookie) as sent:
        assert sent.status_code == 200
        lines = sent.iter_lines(chunk_size=512)
        first = [next(lines) for _ in range(EXPORT_BATCH_SIZE // 2)]
        held.unlink()
        assert len([*first, *lines]) == NUMBER + 1
