#!/usr/bin/env python3
"""The applications' hosts that have a session of their own."""

from collections.abc import Sequence

from vestibule.core import page_settings
from vestibule.db.host_sessions import hosts_by_parent
from vestibule.sessions.store import SessionStore


def applications_of(
    store: SessionStore, handles: Sequence[str]
) -> dict[str, list[str]]:
    """Return the hosts whose sessions hang on those with these handles.

    There are none in memory, nor without `APP_HOSTS`.
    """
    if not (store.in_database and page_settings.APP_HOSTS.read()):
        return {}
    return hosts_by_parent(handles)
