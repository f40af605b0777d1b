#!/usr/bin/env python3
"""The WAL index of SQLite: when it is read, and when it is not."""

import os

import pytest

from vestibule.db import drivers, engine
from vestibule.db.engine import database
from vestibule.db.models.user import User
from vestibule.db.wal_index import WalIndex


def _index() -> WalIndex:
    """Return the index of the open database."""
    return database()._index


def test_index_is_opened_at_first_use() -> None:
    """Nothing is opened before; then it changes with each commit."""
    assert not _index()._is_initialized
    before = _index().header()
    assert before is not None
    User().save()
    assert _index().header() not in (None, before)


def test_other_journal_mode_has_no_index(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """In other modes there is no WAL index."""
    monkeypatch.setattr(drivers, "journal_mode", lambda _: "TRUNCATE")
    assert _index().header() is None
    assert database().change_token() is not None


def test_closed_database_is_not_read() -> None:
    """Another process may truncate the file: reading it would crash."""
    opened = database()
    assert opened.change_token() is not None
    engine.close()
    assert opened._index.header() is None


def test_closed_databases_leave_no_descriptors() -> None:
    """Each database that was closed leaves none behind."""
    counts = []
    for _ in range(3):
        User().save()
        assert database().change_token() is not None
        engine.close()
        counts.append(len(os.listdir("/proc/self/fd")))
    assert counts[0] == counts[1] == counts[2]
