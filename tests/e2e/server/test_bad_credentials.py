#!/usr/bin/env python3
"""Malformed cookies and Basic credentials."""

import base64

import pytest

from tests.e2e.server.conftest import EMAIL, PASSWORD, SharedServers
from tests.e2e.server.test_bad_bodies import refused
from tests.e2e.server.wire import RawResponse, ask
from tests.serving import COOKIE

pytestmark = pytest.mark.usefixtures("untouched")

NAME = COOKIE.encode()
ME = b"/api/v1/users/me"
VERIFY = b"/api/v1/auth_session/verify"
RIGHT = base64.b64encode(f"{EMAIL}:{PASSWORD}".encode())


def get_me(port: int, headers: list[bytes]) -> RawResponse:
    """Request `users/me`; verify must decide alike, with 401 for 403."""
    answer = ask(port, "GET", ME, headers)
    verified = ask(port, "GET", VERIFY, headers)
    kept = answer.status in (200, 400)
    assert verified.status == (answer.status if kept else 401), verified
    return answer


def with_cookie(servers: SharedServers, *headers: bytes) -> RawResponse:
    """Request `users/me` with these `Cookie` headers."""
    lines = [b"Cookie: " + header for header in headers]
    return get_me(servers.session.port, lines)


@pytest.mark.parametrize("value", ["é".encode(), b"\xff\xfe", b"\xe9"])
@pytest.mark.parametrize("after", [b"", b"SESSION"])
def test_non_ascii_cookie_is_refused(
    servers: SharedServers, value: bytes, after: bytes
) -> None:
    """Granian cannot read such a header, and says so with 400."""
    given = after.replace(b"SESSION", servers.session_id.encode())
    refused(with_cookie(servers, NAME + b"=" + given + value), 400)


def test_conflicting_cookies_in_two_headers_are_refused(
    servers: SharedServers,
) -> None:
    """Two values conflict, in one header or in two."""
    right = NAME + b"=" + servers.session_id.encode()
    refused(with_cookie(servers, right, NAME + b"=other"), 401)
    refused(with_cookie(servers, NAME + b"=other", right), 401)


def test_two_authorization_headers_are_refused(
    servers: SharedServers,
) -> None:
    """Two `Authorization` headers are ambiguous."""
    answer = get_me(
        servers.basic.port,
        [b"Authorization: Test", b"Authorization: Basic " + RIGHT],
    )
    refused(answer, 401, 403)
