#!/usr/bin/env python3
"""Each store lists the sessions of a user page by page, newest first."""

import uuid

import pytest

from tests.clocks import SetClock
from tests.stored_sessions import sessions_in
from tests.stores.conftest import Make, begin, handle_of
from vestibule.db.models.user_session import UserSession
from vestibule.sessions.database import DatabaseStore


@pytest.mark.slow
def test_sessions_are_listed_newest_first(
    mechanism: Make, set_clock: SetClock
) -> None:
    """A user's, or all; expired ones too, which a purge has to find."""
    handles = []
    for user_id in ("abcde", "fghij", "abcde"):
        handles.append(handle_of(mechanism, begin(mechanism, user_id)))
        set_clock.advance(1)
    store = mechanism(1).store
    first, other, last = handles
    assert [each.id for each in sessions_in(store)] == [last, other, first]
    assert [each.id for each in sessions_in(store, "abcde")] == [last, first]
    assert [each.user_id for each in sessions_in(store, "fghij")] == ["fghij"]
    assert sessions_in(store, "unknown") == []


@pytest.mark.parametrize("moving", [0, 1])
def test_each_session_is_on_one_page(
    mechanism: Make, set_clock: SetClock, moving: int
) -> None:
    """Newest first, also if all are of one moment."""
    for user_id in ["abcde", "fghij"] * 7:
        begin(mechanism, user_id)
        set_clock.advance(moving)
    store = mechanism().store
    seen: list[str] = []
    sizes: list[int] = []
    place = None
    while place or not sizes:
        some, place = store.page("abcde", 3, place)
        sizes.append(len(some))
        seen += [each.id for each in some]
        if moving:
            # A session that begins later is on none of the next pages.
            begin(mechanism)
    assert sizes == [3, 3, 1]
    every = [each.id for each in sessions_in(store, "abcde")]
    # Sessions that began meanwhile come first.
    del every[: 3 * moving]
    assert sorted(seen) == sorted(every)
    if moving:
        assert seen == every
    assert store.page("unknown", 3) == ([], None)
    assert store.page("abcde", 20)[1] is None
    assert store.page("abcde", 10)[1] is None


@pytest.mark.slow
@pytest.mark.parametrize(
    "place",
    [
        "",
        "x",
        "-",
        "1-",
        "9" * 18 + "-x",
        "9" * 30 + "-x",
        "1-\0",
        "1\n-x",
        "-1",
        "\u0661-x",
        "'; DROP TABLE users; --",
        "1-\ud800",
    ],
)
def test_invalid_cursor_is_the_first_page(mechanism: Make, place: str) -> None:
    """Text that a person typed into an address causes no error."""
    begin(mechanism)
    store = mechanism().store
    (own,) = sessions_in(store, "abcde")
    assert [each.id for each in store.page("abcde", 3, place)[0]] == [own.id]


def test_pages_of_very_old_sessions_end(mechanism: Make) -> None:
    """Scripts may give any moment; the pages come to an end."""
    store = mechanism().store
    if not isinstance(store, DatabaseStore):
        begun = [begin(mechanism) for _ in range(3)]
    else:
        begun = [str(uuid.uuid4()) for _ in range(3)]
        for session_id, at in zip(
            begun,
            ("0001-01-01", "1969-12-31T23:59:59.5", "9999-12-31"),
            strict=True,
        ):
            UserSession(
                user_id="abcde", session_id=session_id, created_at=at
            ).save()
    seen, place = [], None
    for _ in begun:
        (one,), place = store.page("abcde", 1, place)
        seen.append(one.id)
    assert place is None
    assert seen == [handle_of(mechanism, each) for each in begun[::-1]]
