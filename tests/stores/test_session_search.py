#!/usr/bin/env python3
"""Sessions sorted by each column, in every store, forward and back."""

from datetime import timedelta
from itertools import chain, product

import pytest

from tests.clocks import SetClock
from tests.stores.conftest import Make
from vestibule.core.client_info import LOCAL_CLIENT, ClientInfo, set_client
from vestibule.core.errors import InvalidValue
from vestibule.db import keyset, session_touches
from vestibule.db.keyset import Cursor
from vestibule.db.session_search import (
    SESSION_SORTS,
    SessionQuery,
)
from vestibule.sessions.store import SessionStore

#: Users, networks and last uses, which order the sessions differently.
_BEGUN = [
    ("user2", "192.0.2.3", 50),
    ("user1", "192.0.2.1", 10),
    ("user2", None, 30),
    ("user3", "192.0.2.2", 40),
    ("user1", "192.0.2.3", 20),
    ("user1", None, 60),
    ("user3", "192.0.2.3", 70),
]


@pytest.fixture
def handles(mechanism: Make, set_clock: SetClock) -> list[str]:
    """Begin the sessions, one a second; return their handles."""
    begun = []
    for user_id, ip, _ in _BEGUN:
        set_client(LOCAL_CLIENT if ip is None else ClientInfo(ip, "x"))
        begun.append(str(mechanism().create_session(user_id)))
        set_clock.advance(1)
    set_client(LOCAL_CLIENT)
    for session_id, (_, _, seconds) in zip(begun, _BEGUN, strict=True):
        used = set_clock.moment + timedelta(seconds=seconds)
        mechanism().store.touch(session_id, used)
    session_touches.PENDING_TOUCHES.write()
    store = mechanism().store
    return [each.id for each in map(store.find, begun) if each is not None]


def _walk(
    store: SessionStore, query: SessionQuery, limit: int
) -> list[list[str]]:
    """Return the pages of a list; check that the way back has the same."""
    pages: list[list[str]] = []
    cursor: Cursor | None = None
    while True:
        page = store.search(query, limit, cursor)
        pages.append([each.id for each in page.sessions])
        if page.next is None:
            break
        cursor = page.next
    back = [pages[-1]]
    while page.previous is not None:
        page = store.search(query, limit, page.previous)
        back.insert(0, [each.id for each in page.sessions])
    assert back == pages
    return pages


def _expected(handles: list[str], sort: str) -> list[str]:
    """Return the handles in an order; sessions without a value come last."""
    column = sort.removeprefix("-")

    def key(number: int) -> tuple[str | int, ...]:
        """Return what orders a session."""
        user_id, ip, seconds = _BEGUN[number]
        return {
            "created": (number,),
            "user": (user_id, number),
            "network": (ip or "", number),
            "last_used": (seconds,),
        }[column]

    def ordered(numbers: list[int]) -> list[str]:
        """Return the handles of these sessions, in order."""
        found = sorted(numbers, key=key, reverse=sort.startswith("-"))
        return [handles[number] for number in found]

    every = list(range(len(_BEGUN)))
    if column != "network":
        return ordered(every)
    without = [number for number in every if _BEGUN[number][1] is None]
    rest = [number for number in every if number not in without]
    return ordered(rest) + ordered(without)


def test_sessions_are_sorted_by_each_column(
    mechanism: Make, handles: list[str]
) -> None:
    """Each session is on one page, forward and back."""
    for sort in SESSION_SORTS:
        pages = _walk(mechanism().store, SessionQuery(sort=sort), 3)
        assert [len(page) for page in pages] == [3, 3, 1]
        assert [*chain(*pages)] == _expected(handles, sort), sort


def test_filters_keep_the_order(mechanism: Make, handles: list[str]) -> None:
    """Of a user, of a network, or of both."""
    store = mechanism().store
    for sort, (user_id, network) in product(
        ("user", "-last_used", "-created"),
        (
            ("user1", None),
            (None, "192.0.2.3/32"),
            ("user1", "192.0.2.3/32"),
            ("user1", "192.0.2.9/32"),
        ),
    ):
        found = _walk(store, SessionQuery(user_id, network, sort), 1)
        assert [*chain(*found)] == [
            handle
            for handle in _expected(handles, sort)
            if user_id in (None, _BEGUN[handles.index(handle)][0])
            and (
                network is None
                or f"{_BEGUN[handles.index(handle)][1]}/32" == network
            )
        ]


@pytest.mark.usefixtures("handles")
def test_order_of_the_last_use_needs_few_rows(
    mechanism: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No index has the last use; a filter that few rows meet is enough."""
    monkeypatch.setattr(keyset, "MAX_ROWS_SORTED", 3)
    store = mechanism().store
    query = SessionQuery(sort="-last_used")
    assert len(store.search(query._replace(user_id="user1"), 9).sessions) == 3
    if not store.in_database:
        assert len(store.search(query, 9).sessions) == 7
        return
    with pytest.raises(InvalidValue) as caught:
        store.search(query, 9)
    assert caught.value.code == "too_many_to_sort"


@pytest.mark.usefixtures("handles")
def test_many_sessions_of_a_filter_are_scanned_in_the_order(
    mechanism: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A page may be short then, but each session is on one page."""
    monkeypatch.setattr(keyset, "MAX_ROWS_SORTED", 1)
    monkeypatch.setattr(keyset, "MAX_ROWS_SCANNED", 2)
    store = mechanism().store
    query = SessionQuery(network="192.0.2.3/32", sort="user")
    pages = _walk(store, query, 2)
    found = [store.find_by_handle(handle) for handle in chain(*pages)]
    assert [each and each.user_id for each in found] == [
        "user1",
        "user2",
        "user3",
    ]


def test_cursor_of_another_order_is_refused(mechanism: Make) -> None:
    """It is an error of the request, not of the service."""
    for values in (
        (),
        ("x", "y"),
        ("2026-03-29T00:30:15+00:00",),
        ("a", "b", "c"),
    ):
        with pytest.raises(InvalidValue):
            mechanism().store.search(SessionQuery(), 3, Cursor(values))
