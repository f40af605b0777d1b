#!/usr/bin/env python3
"""Sessions of all users, in every store: by page, network and handle."""

import pytest

from tests.stores.conftest import Make
from vestibule.core.client_info import LOCAL_CLIENT, ClientInfo, set_client
from vestibule.sessions.session import EndReason


def _begun(make: Make, number: int) -> list[str]:
    """Begin sessions of two users in two networks; return the handles."""
    handles = []
    for each in range(number):
        set_client(ClientInfo(f"2001:db8:0:{each % 2}::{each + 1}", "x"))
        session_id = make().create_session(f"user{each // 2 % 2}")
        assert session_id is not None
        found = make().store.find(session_id)
        assert found is not None
        handles.append(found.id)
    set_client(LOCAL_CLIENT)
    return handles


@pytest.mark.slow
def test_sessions_of_all_users_are_paged_and_filtered(mechanism: Make) -> None:
    """Of all users, of one network, or of both; each session once."""
    handles, store = _begun(mechanism, 8), mechanism().store
    for network, user_id, expected in (
        (None, None, handles),
        ("2001:db8:0:1::/64", None, handles[1::2]),
        ("2001:db8:0:1::/64", "user0", handles[1::4]),
        ("2001:db8:0:2::/64", None, []),
    ):
        place, seen = None, []
        while True:
            some, place = store.page(user_id, 3, place, network)
            seen += [session.id for session in some]
            if place is None:
                break
        assert sorted(seen) == sorted(expected)
    some, _ = store.page(None, 100, "no place", "2001:db8:0:0::/64")
    assert len(some) == 0
    some, _ = store.page(None, 100, "no place", "2001:db8::/64")
    assert len(some) == 4


def test_session_is_found_by_handle_until_it_ends(mechanism: Make) -> None:
    """It is also counted until then."""
    handles, store = _begun(mechanism, 3), mechanism().store
    assert store.count() == 3
    found = store.find_by_handle(handles[1])
    assert found is not None
    assert (found.id, found.user_id) == (handles[1], "user0")
    assert store.end_by_handle(handles[1], EndReason.REVOKED_BY_ADMIN)
    assert store.find_by_handle(handles[1]) is None
    assert store.find_by_handle("unknown") is None
    assert store.count() == 2
