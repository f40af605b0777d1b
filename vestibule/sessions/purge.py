#!/usr/bin/env python3
"""How dead sessions are dropped from where sessions are kept.

Its law: `lifetime` alone says who is dead; nobody waits long for a purge.
"""

from collections.abc import MutableMapping
from contextlib import AbstractContextManager
from datetime import datetime
from typing import Any

from models.user_session import UserSession
from vestibule.sessions.lifetime import Limits, is_live, oldest_live
from vestibule.sessions.record import record_of

#: Rows deleted in one transaction, so that dropping a million sessions
#: never keeps a login waiting.
BATCH = 500

_GONE = object()


def purge_mapping(
    entries: MutableMapping[str, Any],
    limits: Limits,
    now: datetime,
    lock: AbstractContextManager[Any],
) -> int:
    """Take the entries out that are dead or unreadable; return how many.

    The entries are listed in one step, under the `lock` of those who put
    them there in more than one; other threads may change the dictionary
    meanwhile.
    """
    with lock:
        listed = list(entries.items())
    gone = 0
    for session_id, entry in listed:
        record = record_of(entry)
        if record is None or not is_live(record, limits, now):
            gone += entries.pop(session_id, _GONE) is not _GONE
    return gone


def purge_database(limits: Limits, now: datetime) -> int:
    """Delete the rows of dead sessions, in batches; return how many."""
    oldest = oldest_live(limits, now)
    gone = 0
    while oldest is not None:
        batch = UserSession.purge(oldest, BATCH)
        gone += batch
        if batch < BATCH:
            break
    return gone
