#!/usr/bin/env python3
"""Sessions in the memory of one process.

Its law: the mechanisms' dictionary says which sessions there are. What is
known of them beside it is kept here, in step, under one lock; an entry
that somebody put there by hand gets its record when it is first seen.
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
from vestibule.core.digest import digest_of
from vestibule.core.network import network_of
from vestibule.sessions import new_session_id
from vestibule.sessions.lifetime import Limits, expiry_reason
from vestibule.sessions.session import EndReason, parse_entry
from vestibule.sessions.store import REASON_LIFETIME, SessionPage

#: Ended sessions whose reason is remembered; then the oldest is forgotten.
MAX_KEPT_REASONS = 10_000
#: Not `None`, which somebody may have put there by hand.
_NO_ENTRY = object()


@dataclass
class MemorySession:
    """What a session in memory knows of itself."""

    user_id: str
    created_at: datetime | None
    last_seen_at: datetime | None = None
    authenticated_at: datetime | None = None
    ip: str | None = None
    user_agent: str | None = None
    method: str | None = None
    id: str = field(default_factory=lambda: str(uuid.uuid4()))


#: All that there are, for a forked child.
_memories: "weakref.WeakSet[Memory]" = weakref.WeakSet()


class Memory:
    """What is known beside a dictionary of sessions."""

    def __init__(self) -> None:
        """Begin with nothing known."""
        #: Held while the dictionary and what is here are out of step.
        self.lock = threading.RLock()
        _memories.add(self)
        #: By secret id, oldest first.
        self.records: dict[str, MemorySession] = {}
        #: By digest, oldest first: why and when.
        self.ended: dict[str, tuple[EndReason, datetime]] = {}


class MemoryStore:
    """The sessions of a dictionary, by their secret ids."""

    in_database = False

    def __init__(
        self, entries: MutableMapping[str, Any], memory: Memory
    ) -> None:
        """Work on `entries` itself, and on what `memory` knows of them."""
        self._entries = entries
        self._memory = memory

    def add(self, session_id: str, most: int, most_of_user: int) -> None:
        """Make the record of an entry that was just put there.

        Of more than `most` sessions, and of more than `most_of_user` of
        the same user, the oldest end; 0 is any number.
        """
        entry = parse_entry(self._entries.get(session_id))
        if entry is None:
            return
        now = clock.now()
        origin = current_client()
        with self._memory.lock:
            self._memory.records[session_id] = MemorySession(
                entry.user_id,
                now,
                now,
                now if origin.method else None,
                *origin[:3],
            )
            if most_of_user:
                own = self._ids(entry.user_id)
                for old in own[: max(0, len(own) - most_of_user)]:
                    self.end(old, EndReason.TOO_MANY_SESSIONS)
            while most and len(self._entries) > most:
                self.end(
                    next(iter(self._entries)), EndReason.TOO_MANY_SESSIONS
                )

    def find(self, session_id: str) -> MemorySession | None:
        """Return the record of the entry, made now if it has none."""
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

    def listed(self, user_id: str | None = None) -> list[MemorySession]:
        """Return a user's sessions, or all, newest first."""
        found = (self.find(each) for each in self._ids(user_id))
        return [record for record in found if record is not None][::-1]

    def page(
        self,
        user_id: str | None,
        most: int,
        place: str | None = None,
        network: str | None = None,
    ) -> SessionPage:
        """Return so many sessions; a place is a handle."""
        found: list[MemorySession] = []
        passed = place is None
        for record in self._newest(user_id):
            if passed and network in (None, network_of(record.ip or "")):
                found.append(record)
            passed = passed or record.id == place
            if len(found) > most:
                return SessionPage(found[:most], found[most - 1].id)
        return (
            SessionPage(found, None)
            if passed
            else (self.page(user_id, most, network=network))
        )

    def named(self, handle: str) -> MemorySession | None:
        """Return the record that has this handle."""
        # A renewal moves it from one id to another, and hides it meanwhile.
        with self._memory.lock:
            for record in self._newest(None):
                if record.id == handle:
                    return record
        return None

    def count(self) -> int:
        """Return how many entries there are."""
        return len(self._entries)

    def touch(self, session_id: str, now: datetime) -> None:
        """Note a use; what is not there any more is not put back."""
        record = self._memory.records.get(session_id)
        if record is not None:
            record.last_seen_at = now

    def rotate(self, session_id: str, now: datetime) -> str | None:
        """Move the entry and its record to a new id."""
        with self._memory.lock:
            record = self.find(session_id)
            value = self._entries.get(session_id)
            if record is None or not self.end(session_id, EndReason.ROTATED):
                return None
            new_id = new_session_id()
            record.authenticated_at = record.last_seen_at = now
            self._memory.records[new_id] = record
            self._entries[new_id] = value
            return new_id

    def end(self, session_id: str, reason: EndReason) -> bool:
        """Take the entry out; of two at once only one is told `True`."""
        with self._memory.lock:
            if self._entries.pop(session_id, _NO_ENTRY) is _NO_ENTRY:
                return False
            self._memory.records.pop(session_id, None)
            ended = self._memory.ended
            ended[digest_of(session_id)] = reason, clock.now()
            if len(ended) > MAX_KEPT_REASONS:
                del ended[next(iter(ended))]
            return True

    def end_handle(
        self, handle: str, reason: EndReason, user_id: str | None = None
    ) -> bool:
        """End the session whose record has this handle."""
        # As in `named`: a renewal would leave the end an id that is gone.
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
        """End the user's sessions, or all, but for the handle to keep."""
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
        """Take out every entry that is dead or cannot be read."""
        gone = 0
        with self._memory.lock:
            entries = list(self._entries)
            # Records whose entry was taken out by hand.
            for session_id in self._memory.records.keys() - entries:
                del self._memory.records[session_id]
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

    def _newest(self, user_id: str | None) -> Iterator[MemorySession]:
        """Give the sessions of a user, or of all, newest first."""
        for session_id in reversed(list(self._entries)):
            entry = parse_entry(self._entries.get(session_id))
            if entry is not None and user_id in (None, entry.user_id):
                # One that ended in this moment has no record any more.
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
        """Make the record of an entry that was put there by hand.

        A bare user id says nothing of its age: it begins now. A
        dictionary without a date could say it and does not.
        """
        with self._memory.lock:
            # Looked at again: it may be gone, or a login's that had not
            # yet made the record.
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
            self._memory.records[session_id] = record
            return record


def _unlock_after_fork() -> None:
    """Give a forked child locks that no thread of its parent holds."""
    for memory in _memories:
        memory.lock = threading.RLock()


os.register_at_fork(after_in_child=_unlock_after_fork)
