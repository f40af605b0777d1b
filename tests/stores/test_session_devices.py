#!/usr/bin/env python3
"""Sessions of a device: pages whose rows are scanned in larger steps."""

import random
from datetime import timedelta

import pytest
from sqlalchemy import insert

from vestibule.admin import filters
from vestibule.admin.filters import (
    LiveSessionPage,
    SessionFilter,
    SessionSource,
    live_session_page,
)
from vestibule.core import clock
from vestibule.db.engine import database
from vestibule.db.keyset import Cursor
from vestibule.db.session_search import SessionQuery
from vestibule.db.tables import USER_SESSIONS
from vestibule.sessions.database import DatabaseStore
from vestibule.sessions.lifetime import Limits
from vestibule.sessions.store import SortedPage

pytestmark = pytest.mark.slow

#: Sessions of a test, and those that are scanned for one page.
STORED, SCANNED = 60, 20
#: Which sessions, from the newest, are on the device that is asked for.
PATTERNS = {
    "none": [False] * STORED,
    "all": [True] * STORED,
    "few, then many": [number > 9 for number in range(STORED)],
    "many, then none": [number < 30 for number in range(STORED)],
    "one at the end": [number == STORED - 1 for number in range(STORED)],
    "mixed": [random.Random(7).random() < 0.4 for _ in range(STORED)],
}


@pytest.fixture(params=PATTERNS)
def matching(request: pytest.FixtureRequest, on_sqlite: str) -> list[str]:
    """Store sessions; return the ids of those on the device, newest first."""
    now = clock.now()
    rows = [
        {
            "id": f"id-{number:02}",
            "user_id": "user",
            "session_digest": f"digest-{number}",
            "created_at": now - timedelta(seconds=number),
            "updated_at": now,
            "user_agent": "Opera/9" if is_match else "curl/8",
        }
        for number, is_match in enumerate(PATTERNS[request.param])
    ]
    with database().transaction() as connection:
        connection.execute(insert(USER_SESSIONS), rows)
    return [str(row["id"]) for row in rows if row["user_agent"] == "Opera/9"]


@pytest.mark.parametrize(("most", "step"), [(1, 7), (3, 1), (3, 50), (30, 7)])
def test_pages_of_a_device_have_each_session_once(
    matching: list[str],
    monkeypatch: pytest.MonkeyPatch,
    most: int,
    step: int,
) -> None:
    """None is skipped or too long, in whatever steps the rows are read."""
    monkeypatch.setattr(filters, "MAX_ROWS_SCANNED", SCANNED)
    monkeypatch.setattr(filters, "SCAN_STEP", step)
    source = SessionSource(DatabaseStore(), Limits(), clock.now())

    def show(cursor: Cursor | None) -> LiveSessionPage:
        """Return a page, which is not too long."""
        page = live_session_page(
            source, SessionFilter(device="opera"), most, cursor
        )
        assert len(page.sessions) < 2 * most
        return page

    forward: list[str] = []
    page = show(None)
    while True:
        forward += [each.id for each in page.sessions]
        if page.next is None:
            break
        page = show(page.next)
    assert forward == matching
    backward = [each.id for each in page.sessions]
    while page.previous is not None:
        page = show(page.previous)
        backward = [each.id for each in page.sessions] + backward
    assert backward == matching


def test_scan_of_a_page_is_bounded(
    on_sqlite: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It reads few queries of many rows, not many of few."""
    monkeypatch.setattr(filters, "MAX_ROWS_SCANNED", SCANNED)
    monkeypatch.setattr(filters, "SCAN_STEP", 10)
    read: list[int] = []
    store = DatabaseStore()
    search = store.search

    def remember(
        query: SessionQuery, limit: int, cursor: Cursor | None = None
    ) -> SortedPage:
        """Remember how many rows are asked for."""
        read.append(limit)
        return search(query, limit, cursor)

    monkeypatch.setattr(store, "search", remember)
    with database().transaction() as connection:
        connection.execute(
            insert(USER_SESSIONS),
            [
                {
                    "id": f"id-{number:02}",
                    "session_digest": f"digest-{number}",
                    "created_at": clock.now(),
                    "updated_at": clock.now(),
                }
                for number in range(STORED)
            ],
        )
    source = SessionSource(store, Limits(), clock.now())
    page = live_session_page(source, SessionFilter(device="opera"), 4, None)
    assert (page.sessions, read) == ([], [4, 10, 6])
    assert page.next is not None
