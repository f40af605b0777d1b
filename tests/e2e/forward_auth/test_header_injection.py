#!/usr/bin/env python3
"""Line ends in forwarded headers do not inject response headers.

A client chooses the path and may choose the host; a line end that came back in
`Location` would start a header of the client's choice.
"""

import re
from collections.abc import Callable
from urllib.parse import unquote

import pytest
from werkzeug.test import TestResponse

from tests.app.api.conftest import Build, build, fresh_process
from tests.app.api.service import stored_user
from tests.e2e.forward_auth.deployment import PAGE
from tests.e2e.forward_auth.test_verify import (
    FROM_PROXY,
    NAMES,
    server,
    session,
)
from tests.e2e.server.wire import ask
from tests.serving import COOKIE, VERIFY, Server

__all__ = ["build", "fresh_process", "server", "session"]

Asked = Callable[[dict[str, str], bool], TestResponse]

SIGN_IN = "https://in.example/sign-in"
RAW = [
    "\r",
    "\n",
    "\r\n",
    "\n\n",
    "\r\n\r\n",
    "\r\n\t",
    "\x0b",
    "\x85",
    "\u2028".encode().decode("latin-1"),
]
ENCODED = [
    "%0d",
    "%0a",
    "%0d%0a",
    "%0D%0A",
    "%0d%0a%09",
    "%E2%80%A8",
    "\\r\\n",
]
#: The header that an attacker wants to add to the response.
INJECTED = "X-Injected:yes"

each_name = pytest.mark.parametrize("name", FROM_PROXY)
each_end = pytest.mark.parametrize("end", [*RAW, *ENCODED], ids=repr)
each_place = pytest.mark.parametrize("before", [True, False])


def forwarded(name: str, end: str, before: bool) -> dict[str, str]:
    """Return the proxy's headers with an injection in the header `name`."""
    value = FROM_PROXY[name]
    more = f"{INJECTED}{end}{value}" if before else f"{value}{end}{INJECTED}"
    return {**FROM_PROXY, name: more}


def assert_harmless(location: str, end: str) -> None:
    """Check that `location` leads to the sign-in page only.

    Encoded characters are encoded once more, so they return unchanged.
    """
    assert re.fullmatch(
        re.escape(SIGN_IN) + r"(\?return_to=[!-~]+)?", location
    )
    assert end not in location
    assert not re.search("%0[ad]|%0[bc]|%85", location, re.IGNORECASE)
    back = unquote(location.removeprefix(f"{SIGN_IN}?return_to="))
    assert back.isprintable()
    assert location == SIGN_IN or re.match("https?://app.example/", back)


@each_name
@each_end
@each_place
def test_line_end_over_socket_injects_no_header(
    server: Server, session: str, name: str, end: str, before: bool
) -> None:
    """The request is refused, or the rest of the line is a line of its own."""
    lines = [
        f"{key}: {value}".encode("latin-1")
        for key, value in {**PAGE, **forwarded(name, end, before)}.items()
    ]
    answer = ask(server.port, "GET", VERIFY.encode(), lines)
    assert answer.status in (302, 400)
    assert "x-injected" not in answer.headers
    if answer.status == 302:
        assert_harmless(answer.headers["location"], end)
    cookie = f"Cookie: {COOKIE}={session}".encode()
    answer = ask(server.port, "GET", VERIFY.encode(), [cookie, *lines])
    assert answer.status in (200, 400)
    assert "x-injected" not in answer.headers
    assert "location" not in answer.headers


@pytest.fixture
def asked(build: Build) -> Asked:
    """Return a function that sends headers, with or without a session."""
    house = build(
        "session_db_auth",
        TRUSTED_PROXIES="127.0.0.1",
        LOGIN_URL=SIGN_IN,
        ALLOWED_RETURN_HOSTS="app.example",
        IDENTITY_HEADER="on",
        IDENTITY_HOSTS="localhost,127.0.0.1:*",
    )
    known = house.client_for(stored_user())
    page = {
        f"HTTP_{name.upper().replace('-', '_')}": value
        for name, value in PAGE.items()
    }

    def ask_by(given: dict[str, str], is_known: bool) -> TestResponse:
        """Send headers that only other servers than ours may accept."""
        return (known if is_known else house.client()).get(
            VERIFY,
            environ_overrides=page
            | {
                f"HTTP_{name.upper().replace('-', '_')}": value
                for name, value in given.items()
            },
        )

    return ask_by


@each_name
@each_end
@each_place
def test_line_end_in_environ_injects_no_header(
    asked: Asked, name: str, end: str, before: bool
) -> None:
    """Under any WSGI server the response is the usual one."""
    given = forwarded(name, end, before)
    answer = asked(given, False)
    assert "X-Injected" not in answer.headers
    if name in ("X-Forwarded-Host", "X-Forwarded-Proto"):
        # These decide, and this value of them cannot be read.
        assert answer.status_code == asked(given, True).status_code == 400
        return
    assert answer.status_code == 302
    assert_harmless(answer.headers["Location"], end)
    answer = asked(given, True)
    assert answer.status_code == 200
    assert "Location" not in answer.headers
    for header in NAMES:
        assert answer.headers[header].isprintable()


def test_return_address_without_line_end_is_kept(asked: Asked) -> None:
    """A value without a line end returns, so the tests above can fail."""
    assert asked(FROM_PROXY, False).headers["Location"] == (
        f"{SIGN_IN}?return_to=https%3A//app.example/page"
    )
    encoded = FROM_PROXY | {"X-Forwarded-Uri": "/page%0d%0aa"}
    assert asked(encoded, False).headers["Location"] == (
        f"{SIGN_IN}?return_to=https%3A//app.example/page%250d%250aa"
    )
