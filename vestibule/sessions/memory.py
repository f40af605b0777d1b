#!/usr/bin/env python3
"""Sessions in the memory of one process.

The mechanisms' dictionary determines which sessions exist. A record here
has the other data of each session; both are changed under one lock. An
entry that a script put into the dictionary gets its record when it is first
found.
"""

import os
import threading
import uuid
import weakref
from collections.abc import Iterator, MutableMapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from vestibule.core import clock
from vestibule.core.client_info import current_client
from vestibule.core.crypto import digest_of
from vestibule.core.request_headers import network_of
from vestibule.db.keyset import Cursor, fetch_in_memory
from vestibule.db.session_search import SessionQuery, order_of
from vestibule.sessions.facts import Proof, current_facts, facts_of_session
from vestibule.sessions.lifetime import Limits, expiry_reason
from vestibule.sessions.session import EndReason, new_session_id, parse_entry
from vestibule.sessions.store import REASON_LIFETIME, SessionPage, SortedPage

#: Ended sessions whose reasons are kept; one more drops the oldest.
MAX_KEPT_REASONS = 10_000
#: Stands for a missing entry; a script may have stored `None`.
_NO_ENTRY = object()


@dataclass
class MemorySession:
    """The record of a session in memory."""

    user_id: str
    created_at: datetime | None
    last_seen_at: datetime | None = None
    authenticated_at: datetime | None = None
    ip: str | None = None
    user_agent: str | None = None
    method: str | None = None
    proof_methods: str | None = None
    second_factor_at: datetime | None = None
    phishing_resistant: bool = False
    user_verified: bool = False
    recovered: bool = False
    host: str | None = None
    id: str = field(default_factory=lambda: str(uuid.uuid4()))

    @property
    def network(self) -> str | None:
        """Return the network that counts as one client."""
        return None if self.ip is None else network_of(self.ip)


#: Every `Memory` of this process; a forked child gives them new locks.
_memories: "weakref.WeakSet[Memory]" = weakref.WeakSet()


class Memory:
    """The records that belong to a dictionary of sessions."""

    def __init__(self) -> None:
        """Begin without records."""
        #: Held while the dictionary and the records differ.
        self.lock = threading.RLock()
        _memories.add(self)
        #: By secret id, oldest first.
        self.records: dict[str, MemorySession] = {}
        #: The secret ids of each user's records, oldest first.
        self.by_user: dict[str, dict[str, None]] = {}
        #: The users, by the number of their records.
        self.users_by_number: dict[int, dict[str, None]] = {}
        #: Why and when sessions ended, by digest, oldest first.
        self.ended: dict[str, tuple[EndReason, datetime]] = {}

    def keep(self, session_id: str, record: MemorySession) -> None:
        """Keep the record of a session."""
        self.forget(session_id)
        self.records[session_id] = record
        own = self.by_user.setdefault(record.user_id, {})
        own[session_id] = None
        self._recount(record.user_id, len(own) - 1, len(own))

    def forget(self, session_id: str) -> None:
        """Drop the record of a session, if there is one."""
        record = self.records.pop(session_id, None)
        if record is None:
            return
        own = self.by_user[record.user_id]
        del own[session_id]
        self._recount(record.user_id, len(own) + 1, len(own))
        if not own:
            del self.by_user[record.user_id]

    def next_to_evict(self) -> str | None:
        """Return the oldest session of the user who has the most.

        `None` if no user has two; the oldest of all is to be evicted then.
        """
        # 100,000 sessions have at most 446 different numbers per user.
        most = max(self.users_by_number, default=0)
        if most < 2:
            return None
        user_id = next(iter(self.users_by_number[most]))
        return next(iter(self.by_user[user_id]))

    def _recount(self, user_id: str, before: int, after: int) -> None:
        """Move a user from one number of records to another."""
        if before:
            del self.users_by_number[before][user_id]
            if not self.users_by_number[before]:
                del self.users_by_number[before]
        if after:
            self.users_by_number.setdefault(after, {})[user_id] = None


class MemoryStore:
    """The sessions of a dictionary, by their secret ids."""

    in_database = False

    def __init__(
        self, entries: MutableMapping[str, Any], memory: Memory
    ) -> None:
        """Work on `entries` itself, and on their records in `memory`."""
        self._entries = entries
        self._memory = memory

    def add(self, session_id: str, limit: int, user_limit: int) -> None:
        """Create the record of an entry that was just added.

        The oldest sessions of the same user beyond `user_limit` end. Beyond
        `limit` sessions in all, the user with the most loses the oldest, so
        that no user can end those of the others. 0 means no limit.
        """
        entry = parse_entry(self._entries.get(session_id))
        if entry is None:
            return
        now = clock.now()
        origin = current_client()
        with self._memory.lock:
            self._memory.keep(
                session_id,
                MemorySession(
                    entry.user_id,
                    now,
                    now,
                    now if origin.method else None,
                    *origin[:3],
                    **current_facts().stored(),
                ),
            )
            if user_limit:
                own = self._ids(entry.user_id)
                for old in own[: max(0, len(own) - user_limit)]:
                    self.end(old, EndReason.TOO_MANY_SESSIONS)
            while limit and len(self._entries) > limit:
                self._evict()

    def find(self, session_id: str) -> MemorySession | None:
        """Return the record of the entry, created now if it has none."""
        value = self._entries.get(session_id)
        entry = parse_entry(value)
        if entry is None:
            return None
        record = self._memory.records.get(session_id)
        if record is None or record.user_id != entry.user_id:
            return self._first_seen(session_id)
        if not isinstance(value, str):
            record.created_at = entry.created_at
        return record

    def page(
        self,
        user_id: str | None,
        limit: int,
        cursor: str | None = None,
        network: str | None = None,
    ) -> SessionPage:
        """Return at most `limit` sessions; the cursor is a handle."""
        found: list[MemorySession] = []
        is_after = cursor is None
        for record in self._newest(user_id):
            if is_after and network in (None, network_of(record.ip or "")):
                found.append(record)
            is_after = is_after or record.id == cursor
            if len(found) > limit:
                return SessionPage(found[:limit], found[limit - 1].id)
        if not is_after:
            return self.page(user_id, limit, network=network)
        return SessionPage(found, None)

    def search(
        self, query: SessionQuery, limit: int, cursor: Cursor | None = None
    ) -> SortedPage:
        """Return at most `limit` sessions after or before a cursor."""
        records = (
            record
            for record in self._newest(query.user_id)
            if query.network is None or record.network == query.network
        )
        order = order_of(query.sort)
        found = fetch_in_memory(records, order, limit, cursor)
        return SortedPage(found.rows, found.next, found.previous)

    def find_by_handle(self, handle: str) -> MemorySession | None:
        """Return the record that has this handle."""
        # A rotation moves the record from one id to another; the lock waits
        # for its end.
        with self._memory.lock:
            for record in self._newest(None):
                if record.id == handle:
                    return record
        return None

    def count(self) -> int:
        """Return how many entries there are."""
        return len(self._entries)

    def touch(self, session_id: str, now: datetime) -> None:
        """Record a use; a session that ended meanwhile stays ended."""
        record = self._memory.records.get(session_id)
        if record is not None:
            record.last_seen_at = now

    def rotate(
        self, session_id: str, now: datetime, proof: Proof | None = None
    ) -> str | None:
        """Move the entry and its record to a new id."""
        with self._memory.lock:
            record = self.find(session_id)
            value = self._entries.get(session_id)
            if record is None or not self.end(session_id, EndReason.ROTATED):
                return None
            new_id = new_session_id()
            record.authenticated_at = record.last_seen_at = now
            if proof is not None:
                facts = facts_of_session(record).with_proof(proof)
                for name, fact in facts.stored().items():
                    setattr(record, name, fact)
            self._memory.keep(new_id, record)
            self._entries[new_id] = value
            return new_id

    def end(self, session_id: str, reason: EndReason) -> bool:
        """Remove the entry; of two calls at once only one returns True."""
        with self._memory.lock:
            if self._entries.pop(session_id, _NO_ENTRY) is _NO_ENTRY:
                return False
            self._memory.forget(session_id)
            ended = self._memory.ended
            ended[digest_of(session_id)] = reason, clock.now()
            if len(ended) > MAX_KEPT_REASONS:
                del ended[next(iter(ended))]
            return True

    def end_by_handle(
        self, handle: str, reason: EndReason, user_id: str | None = None
    ) -> bool:
        """End the session whose record has this handle."""
        # The lock keeps a rotation from moving the record in between.
        with self._memory.lock:
            for session_id in self._ids(user_id):
                record = self.find(session_id)
                if record is not None and record.id == handle:
                    return self.end(session_id, reason)
        return False

    def end_all(
        self,
        reason: EndReason,
        user_id: str | None = None,
        keep: str | None = None,
    ) -> int:
        """End the user's sessions, or all, except the one to keep."""
        with self._memory.lock:
            ended = 0
            for session_id in self._ids(user_id):
                record = self.find(session_id)
                if record is None or record.id != keep:
                    ended += self.end(session_id, reason)
            return ended

    def reason(self, session_id: str) -> EndReason | None:
        """Return why the session ended, if that was in the last day."""
        found = self._memory.ended.get(digest_of(session_id))
        if found is None or clock.now() - found[1] > REASON_LIFETIME:
            return None
        return found[0]

    def purge(self, limits: Limits, now: datetime) -> int:
        """Remove every entry that has expired or cannot be read."""
        gone = 0
        with self._memory.lock:
            entries = list(self._entries)
            # Records whose entry a script removed.
            for session_id in self._memory.records.keys() - entries:
                self._memory.forget(session_id)
        for session_id in entries:
            record = self.find(session_id)
            why = (
                EndReason.EXPIRED
                if record is None
                else expiry_reason(record, limits, now)
            )
            if why is not None:
                gone += self.end(session_id, why)
        return gone

    def _evict(self) -> None:
        """End one session to make room for a new one."""
        session_id = self._memory.next_to_evict() or next(iter(self._entries))
        if not self.end(session_id, EndReason.TOO_MANY_SESSIONS):
            # A script removed the entry, and the record is left.
            self._memory.forget(session_id)

    def _newest(self, user_id: str | None) -> Iterator[MemorySession]:
        """Yield the sessions of a user, or all, newest first."""
        for session_id in reversed(list(self._entries)):
            entry = parse_entry(self._entries.get(session_id))
            if entry is not None and user_id in (None, entry.user_id):
                # A session that ended meanwhile is not found.
                yield from filter(None, [self.find(session_id)])

    def _ids(self, user_id: str | None) -> list[str]:
        """Return the secret ids of a user's sessions, or all, oldest first."""
        return [
            session_id
            for session_id, value in list(self._entries.items())
            if user_id is None
            or ((entry := parse_entry(value)) and entry.user_id == user_id)
        ]

    def _first_seen(self, session_id: str) -> MemorySession | None:
        """Create the record of an entry that a script added.

        A bare user id has no age, so the session begins now. A dictionary
        without `created_at` stays without one.
        """
        with self._memory.lock:
            # Read again under the lock: it may be gone, or belong to a
            # login that had not yet created the record.
            value = self._entries.get(session_id)
            entry = parse_entry(value)
            if entry is None:
                return None
            record = self._memory.records.get(session_id)
            if record is not None and record.user_id == entry.user_id:
                return record
            now = clock.now()
            began = now if isinstance(value, str) else entry.created_at
            record = MemorySession(entry.user_id, began, now)
            self._memory.keep(session_id, record)
            return record


def _unlock_after_fork() -> None:
    """Give a forked child locks that no thread of the parent holds."""
    for memory in _memories:
        memory.lock = threading.RLock()


os.register_at_fork(after_in_child=_unlock_after_fork)
