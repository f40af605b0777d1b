#!/usr/bin/env python3
"""The check of responses: a peer must tell users apart."""

import pytest

from bench.peers.responses import WrongResponse, check_anonymous, check_named

EMAIL = "user1@example.com"
NAMED = '{"email": "user1@example.com", "id": 2}'


def test_right_user_passes() -> None:
    """What is wanted is 200 and the user's email."""
    check_named("peer", 200, NAMED, EMAIL)


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (302, NAMED),
        (201, NAMED),
        (200, '{"email": "user2@example.com"}'),
        (200, '{"email": "another-user1@example.com"}'),
        (200, ""),
    ],
)
def test_other_response_to_a_session_is_refused(
    status: int, body: str
) -> None:
    """A redirect, no user, or another user ends the run."""
    with pytest.raises(WrongResponse, match=f"peer: {status}"):
        check_named("peer", status, body, EMAIL)


@pytest.mark.parametrize("status", [302, 401, 403])
def test_anonymous_request_may_be_redirected_or_refused(status: int) -> None:
    """Frameworks differ in how they refuse; each of these is one."""
    check_anonymous("peer", status, "<h1>Unauthorized</h1>", [EMAIL])


@pytest.mark.parametrize(
    ("status", "body"), [(200, "{}"), (204, ""), (401, NAMED)]
)
def test_anonymous_request_must_not_get_a_user(status: int, body: str) -> None:
    """A good status or a user's email without a session ends the run."""
    with pytest.raises(WrongResponse, match="without a session"):
        check_anonymous("peer", status, body, ["user9@example.com", EMAIL])
