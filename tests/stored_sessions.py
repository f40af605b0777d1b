#!/usr/bin/env python3
"""The sessions that a store has, for assertions."""

from collections.abc import Sequence

from vestibule.sessions.session import Session
from vestibule.sessions.store import SessionStore


def sessions_in(
    store: SessionStore, user_id: str | None = None
) -> Sequence[Session]:
    """Return a user's sessions, or all, expired or not, newest first."""
    found, cursor = store.page(user_id, 1_000)
    assert cursor is None
    return found
