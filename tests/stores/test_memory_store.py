#!/usr/bin/env python3
"""Records of the memory store stay consistent with its dictionary."""

import threading
from collections.abc import Iterator
from typing import Any

import pytest

from tests.clocks import SetClock
from tests.stored_sessions import sessions_in
from tests.threads import at_once
from vestibule.core import clock
from vestibule.core.client_info import LOCAL_CLIENT, ClientInfo, set_client
from vestibule.mechanisms.session_auth import SessionAuth
from vestibule.sessions import memory
from vestibule.sessions.lifetime import Limits
from vestibule.sessions.memory import Memory, MemorySession, MemoryStore
from vestibule.sessions.session import EndReason

RECORDS = SessionAuth._memory.records
ENTRIES = SessionAuth.user_id_by_session_id


def test_records_and_entries_stay_equal_in_number() -> None:
    """Beginnings, rotations and ends leave as many of both."""
    auth = SessionAuth()
    ids = [str(auth.create_session("abcde")) for _ in range(4)]
    assert list(RECORDS) == list(ENTRIES) == ids
    new = auth.store.rotate(ids[0], auth.now())
    auth.store.end(ids[1], EndReason.REVOKED)
    assert list(RECORDS) == list(ENTRIES) == [*ids[2:], new]
    auth.store.end_all(EndReason.REVOKED)
    assert RECORDS == ENTRIES == {}


def test_entry_put_in_by_a_script_gets_one_record(set_clock: SetClock) -> None:
    """It begins when it is first seen, and keeps its handle from then on."""
    auth = SessionAuth()
    ENTRIES["by hand"] = "abcde"
    assert RECORDS == {}
    first = auth.store.find("by hand")
    assert first is not None
    assert first.created_at == first.last_seen_at == set_clock.moment
    assert first.authenticated_at is None
    set_clock.advance(5)
    assert auth.store.find("by hand") is first
    assert [each.id for each in sessions_in(auth.store, "abcde")] == [first.id]
    assert auth.store.end_by_handle(first.id, EndReason.REVOKED, "abcde")
    assert RECORDS == ENTRIES == {}


def test_entry_of_another_user_is_another_session() -> None:
    """The next session gets nothing from the record of the one before."""
    auth = SessionAuth()
    session_id = str(auth.create_session("abcde"))
    before = auth.store.find(session_id)
    ENTRIES[session_id] = "fghij"
    after = auth.store.find(session_id)
    assert before is not None
    assert after is not None
    assert after.user_id == "fghij"
    assert after.id != before.id
    assert not auth.store.end_by_handle(before.id, EndReason.REVOKED)


def test_entry_deleted_by_a_script_is_gone() -> None:
    """No list, look-up or rotation has it; a purge deletes its record."""
    auth = SessionAuth()
    session_id = str(auth.create_session("abcde"))
    stays = str(auth.create_session("abcde"))
    handle = RECORDS[session_id].id
    del ENTRIES[session_id]
    auth.store.touch(session_id, auth.now())
    assert auth.store.find(session_id) is None
    assert auth.store.rotate(session_id, auth.now()) is None
    assert not auth.store.end(session_id, EndReason.REVOKED)
    assert not auth.store.end_by_handle(handle, EndReason.REVOKED)
    assert len(sessions_in(auth.store)) == 1
    assert auth.store.purge(Limits(), auth.now()) == 0
    assert list(RECORDS) == list(ENTRIES) == [stays]


def test_invalid_entry_is_not_listed_but_ends_with_all() -> None:
    """What cannot be read is not listed, and does not outlive the rest."""
    auth = SessionAuth()
    auth.create_session("abcde")
    ENTRIES.update({"garbage": 89, "none": None})
    assert len(sessions_in(auth.store)) == 1
    assert not auth.store.end_by_handle("unknown", EndReason.REVOKED)
    assert auth.store.end_all(EndReason.REVOKED, "abcde") == 1
    assert auth.store.end_all(EndReason.REVOKED) == 2
    assert ENTRIES == {}


def test_invalid_entry_gets_no_record() -> None:
    """Adding an invalid entry through the store makes no session."""
    known = Memory()
    entries: dict[str, Any] = {"garbage": 89}
    MemoryStore(entries, known).add("garbage", 0, 0)
    MemoryStore(entries, known).add("unknown", 0, 0)
    assert known.records == {}
    assert entries == {"garbage": 89}


def test_session_that_ends_during_a_look_up_gets_no_record() -> None:
    """An entry may go between look-up and record: no record is left."""

    class Fleeting(dict[str, Any]):
        """A dictionary that deletes each entry when it is read."""

        def get(self, key: str, default: Any = None) -> Any:
            """Return the entry and take it out."""
            return self.pop(key, default)

    known = Memory()
    store = MemoryStore(Fleeting({"by hand": "abcde"}), known)
    assert store.find("by hand") is None
    assert known.records == {}


class RotatingStore(MemoryStore):
    """A store with one session, which is rotated during each look-up."""

    def __init__(self) -> None:
        """Begin the session."""
        self.entries: dict[str, Any] = {"before": "abcde"}
        super().__init__(self.entries, Memory())
        self.handle = str(getattr(super().find("before"), "id", None))
        self.renewals: list[threading.Thread] = []

    def find(self, session_id: str) -> MemorySession | None:
        """Let another thread rotate the session, and look."""
        renewal = threading.Thread(
            target=MemoryStore(self._entries, self._memory).rotate,
            args=(session_id, SetClock().moment),
        )
        self.renewals.append(renewal)
        renewal.start()
        renewal.join(0.3)
        return super().find(session_id)


@pytest.fixture
def rotating_store() -> Iterator[RotatingStore]:
    """Return such a store; wait for its rotations at the end."""
    store = RotatingStore()
    yield store
    for renewal in store.renewals:
        renewal.join(30)


def test_ending_by_handle_wins_over_a_rotation(
    rotating_store: RotatingStore,
) -> None:
    """A session ended by its handle ends, whatever its id is by then."""
    assert rotating_store.end_by_handle(
        rotating_store.handle, EndReason.REVOKED
    )
    assert rotating_store.entries == {}


def test_session_is_found_by_handle_during_a_rotation(
    rotating_store: RotatingStore,
) -> None:
    """It is found by its handle, whatever its id is by then."""
    found = rotating_store.find_by_handle(rotating_store.handle)
    assert found is not None
    assert found.id == rotating_store.handle


class LateRecords(dict[str, MemorySession]):
    """Records; a login makes the first missing one during the look-up."""

    store: MemoryStore

    def get(self, key: str, default: Any = None) -> Any:
        """Return what is there, and let the login that it is of go on."""
        found = super().get(key, default)
        if found is None:
            self.store.add(key, 0, 0)
        return found


def test_listing_keeps_the_record_of_a_login() -> None:
    """A list that saw the entry before its record makes no second record."""
    known, records = Memory(), LateRecords()
    known.records = records
    records.store = store = MemoryStore({"new": "abcde"}, known)
    set_client(ClientInfo(None, None, "password"))
    (listed,) = sessions_in(store, "abcde")
    set_client(LOCAL_CLIENT)
    assert listed.authenticated_at is not None
    assert store.find("new") is listed


def test_memory_holds_at_most_the_allowed_sessions(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The oldest of any user end, also when many threads begin sessions."""
    monkeypatch.setenv("MEMORY_SESSIONS_MAX", "5")
    auth = SessionAuth()
    first = str(auth.create_session("first"))
    ids = at_once(20, lambda number: auth.create_session(str(number)))
    assert len(ENTRIES) == len(RECORDS) == 5
    assert set(ENTRIES) <= {str(each) for each in ids}
    assert auth.store.reason(first) is EndReason.TOO_MANY_SESSIONS
    last = auth.create_session("last")
    assert list(ENTRIES)[-1] == last
    assert len(ENTRIES) == 5


def test_user_with_most_sessions_loses_the_oldest(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """One member who logs in again and again ends only their own."""
    monkeypatch.setenv("MEMORY_SESSIONS_MAX", "5")
    auth = SessionAuth()
    others = [str(auth.create_session(name)) for name in ("a", "b", "c")]
    own = [str(auth.create_session("member")) for _ in range(50)]
    assert set(ENTRIES) == {*others, *own[-2:]}
    assert auth.store.reason(own[0]) is EndReason.TOO_MANY_SESSIONS
    late = str(auth.create_session("late"))
    assert set(ENTRIES) == {*others, own[-1], late}
    rotated = str(auth.store.rotate(own[-1], clock.now()))
    last = str(auth.create_session("member"))
    assert set(ENTRIES) == {*others, late, last}
    assert auth.store.reason(rotated) is EndReason.TOO_MANY_SESSIONS


def test_entries_of_scripts_are_evicted_too(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """An entry without a record, and a record without an entry."""
    monkeypatch.setenv("MEMORY_SESSIONS_MAX", "3")
    auth = SessionAuth()
    ids = [str(auth.create_session("member")) for _ in range(3)]
    for each in ids[:2]:
        del ENTRIES[each]
    ENTRIES.update({f"script {number}": "member" for number in range(5)})
    auth.create_session("other")
    assert len(ENTRIES) == 3
    assert auth.user_id_for_session_id(list(ENTRIES)[-1]) == "other"


def test_reasons_in_memory_are_bounded(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The oldest reasons are deleted."""
    monkeypatch.setattr(memory, "MAX_KEPT_REASONS", 2)
    auth = SessionAuth()
    ids = [str(auth.create_session("abcde")) for _ in range(3)]
    for each in ids:
        auth.store.end(each, EndReason.REVOKED)
    told = [auth.store.reason(each) for each in ids]
    assert told == [None, EndReason.REVOKED, EndReason.REVOKED]
