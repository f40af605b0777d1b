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


def with_basic(servers: SharedServers, authorization: bytes) -> RawResponse:
    """Request `users/me` with this `Authorization` header."""
    return get_me(servers.basic.port, [b"Authorization: " + authorization])


@pytest.mark.parametrize(
    ("cookie", "status"),
    [
        (NAME, 401),
        (b"", 401),
        (b";;; = ;=;", 401),
        (b"other=SESSION", 401),
        (NAME + b"_fake=SESSION", 401),
        (NAME.upper() + b"=SESSION", 401),
        (NAME + b"=", 403),
        (NAME + b'="', 403),
        (NAME + b'=""', 403),
        (NAME + b'="SESSION', 403),
        (NAME + b"=SESSION SESSION", 403),
        (NAME + b"=SESSION=", 403),
        (NAME + b"=%53ESSION", 403),
        (NAME + b"=" + b"a" * 4_096, 403),
        (NAME + b"=SESSION" + b"a" * 4_096, 403),
        (NAME + b"=SESSION; " + NAME + b"=x", 401),
        (NAME + b"=x; " + NAME + b"=SESSION", 401),
        (NAME + b"=SESSION; a=b; " + NAME + b"=", 401),
    ],
)
def test_malformed_cookie_is_refused(
    servers: SharedServers, cookie: bytes, status: int
) -> None:
    """A near miss of the cookie is refused; 401 if it has no session id."""
    given = cookie.replace(b"SESSION", servers.session_id.encode())
    refused(with_cookie(servers, given), status)


@pytest.mark.parametrize("value", ["é".encode(), b"\xff\xfe", b"\xe9"])
@pytest.mark.parametrize("after", [b"", b"SESSION"])
def test_non_ascii_cookie_is_refused(
    servers: SharedServers, value: bytes, after: bytes
) -> None:
    """Bytes that no session id contains are refused."""
    given = after.replace(b"SESSION", servers.session_id.encode())
    refused(with_cookie(servers, NAME + b"=" + given + value), 401, 403)


def test_conflicting_cookies_in_two_headers_are_refused(
    servers: SharedServers,
) -> None:
    """Two values conflict, in one header or in two."""
    right = NAME + b"=" + servers.session_id.encode()
    refused(with_cookie(servers, right, NAME + b"=other"), 401)
    refused(with_cookie(servers, NAME + b"=other", right), 401)


@pytest.mark.parametrize("form", ["{}", '"{}"', "{0}; _my_session_id={0}"])
def test_valid_cookie_is_accepted(servers: SharedServers, form: str) -> None:
    """The session's cookie is valid, also quoted or repeated."""
    value = form.format(servers.session_id).encode()
    assert with_cookie(servers, NAME + b"=" + value).status == 200


@pytest.mark.parametrize(
    "authorization",
    [
        b"Basic",
        b"Basic ",
        b"Basic  " + RIGHT,
        b"basic " + RIGHT,
        b"BASIC " + RIGHT,
        b"Basic\t" + RIGHT,
        b"Bearer " + RIGHT,
        b"Basic" + RIGHT,
        b"Basic " + RIGHT.rstrip(b"=") + b"!",
        b"Basic " + RIGHT[:-1],
        b"Basic " + RIGHT[:10] + b" " + RIGHT[10:],
        b"Basic !!!!",
        b"Basic =",
        b"Basic ====",
        b"Basic \xff\xfe",
        "Basic é".encode(),
        b"Basic " + base64.b64encode(b"\xff\xfe:\x80"),
        b"Basic " + base64.b64encode(EMAIL.encode()),
        b"Basic " + base64.b64encode(b":"),
        b"Basic " + base64.b64encode(f"{EMAIL}:".encode()),
        b"Basic " + base64.b64encode(f":{PASSWORD}".encode()),
        b"Basic " + base64.b64encode(f"{EMAIL}\0:{PASSWORD}".encode()),
        b"Basic " + base64.b64encode(f"{EMAIL}:{PASSWORD}\0".encode()),
        b"Basic " + base64.b64encode(f"{EMAIL}: {PASSWORD}".encode()),
        b"Basic " + base64.b64encode(b"\xed\xa0\x80:\xed\xa0\x80"),
        b"Basic " + base64.b64encode(b":" * 20_000),
    ],
)
def test_malformed_basic_header_is_refused(
    servers: SharedServers, authorization: bytes
) -> None:
    """A near miss of the right credential is refused."""
    refused(with_basic(servers, authorization), 401, 403)


def test_valid_basic_header_is_accepted(servers: SharedServers) -> None:
    """The credential is valid, also with spaces around the email."""
    assert with_basic(servers, b"Basic " + RIGHT).status == 200
    spaced = base64.b64encode(f" {EMAIL.upper()} :{PASSWORD}".encode())
    assert with_basic(servers, b"Basic " + spaced).status == 200


def test_two_authorization_headers_are_refused(
    servers: SharedServers,
) -> None:
    """Two `Authorization` headers are ambiguous."""
    answer = get_me(
        servers.basic.port,
        [b"Authorization: Test", b"Authorization: Basic " + RIGHT],
    )
    refused(answer, 401, 403)
