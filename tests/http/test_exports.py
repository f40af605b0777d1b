#!/usr/bin/env python3
"""Files of events from a real server: whole, or no file at all."""

from collections.abc import Iterator
from datetime import datetime, timedelta, timezone
from pathlib import Path

import pytest
import requests

from models.events import Happening, store
from tests.http.accounts import account
from tests.serving import COOKIE, Server
from vestibule.desk.export import BATCH

EXPORT = "/api/v1/events/export"
NUMBER = BATCH + 500
#: A server whose database fails at the second thousand, while it is told.
FAILING = """
from pathlib import Path
from api.v1.app import main
from models import events
from vestibule.errors import StoreUnavailable

page = events.page

def failing(wanted, most, before=None):
    if before is not None and Path("broken").exists():
        raise StoreUnavailable("the disk is gone")
    return page(wanted, most, before)

events.page = failing
main()
"""


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    """Run a server with events whose database a test can break."""
    running = Server(
        tmp_path, AUTH_TYPE="session_db_auth", SESSION_NAME=COOKIE,
        API_DOCS="off",
    )
    running.program = ("-c", FAILING)
    now = datetime.now(timezone.utc)
    store([
        Happening(now - timedelta(hours=1, seconds=number), "login",
                  user_agent="x" * 1000)
        for number in range(NUMBER)
    ])
    running.start()
    yield running
    running.stop()


def exported(server: Server, cookie: str) -> requests.Response:
    """Return the answer to who asks for the file."""
    return server.request("GET", EXPORT, cookie)


def test_a_file_is_whole_or_none(server: Server) -> None:
    """Half of it is not sent as if it were all; 503 is the answer."""
    cookie = account("admin").session_id
    sent = exported(server, cookie)
    assert sent.status_code == 200
    assert sent.headers["Content-Length"] == str(len(sent.content))
    assert "Transfer-Encoding" not in sent.headers
    assert len(sent.text.splitlines()) == NUMBER + 1
    (server.folder / "broken").touch()
    sent = exported(server, cookie)
    assert sent.status_code == 503
    assert sent.json() == {"error": "Service Unavailable"}
    assert "Content-Disposition" not in sent.headers
    (server.folder / "broken").unlink()
    assert exported(server, cookie).status_code == 200
