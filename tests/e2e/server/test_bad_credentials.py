#!/usr/bin/env python3
"""Cookies and Basic headers that are not what they should be."""

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


def asked_alike(port: int, headers: list[bytes]) -> RawResponse:
    """Ask who one is; the gate has to decide alike, with 401 for 403."""
    answer = ask(port, "GET", ME, headers)
    verified = ask(port, "GET", VERIFY, headers)
    kept = answer.status in (200, 400)
    assert verified.status == (answer.status if kept else 401), verified
    return answer


def with_cookie(house: SharedServers, *headers: bytes) -> RawResponse:
    """Ask who one is, with these `Cookie` headers."""
    lines = [b"Cookie: " + header for header in headers]
    return asked_alike(house.sessions.port, lines)


def with_basic(house: SharedServers, authorization: bytes) -> RawResponse:
    """Ask who one is, with this `Authorization` header."""
    return asked_alike(house.basic.port, [b"Authorization: " + authorization])


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
def test_a_cookie_that_is_no_session_opens_nothing(
    house: SharedServers, cookie: bytes, status: int
) -> None:
    """What is near to a session's cookie is not one; 401 if it has none."""
    given = cookie.replace(b"SESSION", house.session_id.encode())
    refused(with_cookie(house, given), status)


@pytest.mark.parametrize("value", ["é".encode(), b"\xff\xfe", b"\xe9"])
@pytest.mark.parametrize("after", [b"", b"SESSION"])
def test_a_cookie_beyond_ascii_opens_nothing(
    house: SharedServers, value: bytes, after: bytes
) -> None:
    """Bytes that no session id has never lead to one."""
    given = after.replace(b"SESSION", house.session_id.encode())
    refused(with_cookie(house, NAME + b"=" + given + value), 401, 403)


def test_a_cookie_tossed_in_by_a_second_header_is_refused(
    house: SharedServers,
) -> None:
    """Two values are a conflict, in one header or in two."""
    right = NAME + b"=" + house.session_id.encode()
    refused(with_cookie(house, right, NAME + b"=other"), 401)
    refused(with_cookie(house, NAME + b"=other", right), 401)


@pytest.mark.parametrize("form", ["{}", '"{}"', "{0}; _my_session_id={0}"])
def test_the_right_cookie_opens(house: SharedServers, form: str) -> None:
    """The session's own cookie is taken, in quotes and doubled too."""
    value = form.format(house.session_id).encode()
    assert with_cookie(house, NAME + b"=" + value).status == 200


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
def test_a_basic_header_that_is_no_credential_opens_nothing(
    house: SharedServers, authorization: bytes
) -> None:
    """What is near to the right credential is not one."""
    refused(with_basic(house, authorization), 401, 403)


def test_the_right_basic_header_opens(house: SharedServers) -> None:
    """The user's own credential is taken, blanks in its email too."""
    assert with_basic(house, b"Basic " + RIGHT).status == 200
    spaced = base64.b64encode(f" {EMAIL.upper()} :{PASSWORD}".encode())
    assert with_basic(house, b"Basic " + spaced).status == 200


def test_a_second_authorization_header_opens_nothing(
    house: SharedServers,
) -> None:
    """Two headers are no credential that could be meant."""
    answer = asked_alike(
        house.basic.port,
        [b"Authorization: Test", b"Authorization: Basic " + RIGHT],
    )
    refused(answer, 401, 403)
