#!/usr/bin/env python3
"""Ends of lines in what a proxy forwards: none gets into an answer.

Who asks for a page chooses its path, and may choose its host; an end of a
line that came back in `Location` would begin a header of their own.
"""

import re
from collections.abc import Callable
from urllib.parse import unquote

import pytest
from werkzeug.test import TestResponse

from tests.app.api.conftest import Build, build, fresh_process
from tests.app.api.house import stored_user
from tests.e2e.forward_auth.gate import PAGE
from tests.e2e.forward_auth.test_verify import (
    FROM_PROXY,
    NAMES,
    VERIFY,
    server,
    session,
)
from tests.e2e.server.wire import ask
from tests.serving import COOKIE, Server

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
#: What somebody would like to have in the answer.
INJECTED = "X-Injected:yes"

each_name = pytest.mark.parametrize("name", FROM_PROXY)
each_end = pytest.mark.parametrize("end", [*RAW, *ENCODED], ids=repr)
each_place = pytest.mark.parametrize("before", [True, False])


def forwarded(name: str, end: str, before: bool) -> dict[str, str]:
    """Return what a proxy sends, with more in the header of `name`."""
    value = FROM_PROXY[name]
    more = f"{INJECTED}{end}{value}" if before else f"{value}{end}{INJECTED}"
    return {**FROM_PROXY, name: more}


def assert_harmless(location: str, end: str) -> None:
    """Check that a sign-in page is all that `location` leads to.

    What was encoded is encoded once more: so it comes back as it was.
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
def test_over_the_wire(
    server: Server, session: str, name: str, end: str, before: bool
) -> None:
    """A request is refused, or the rest of the line is a line of its own."""
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
    """Return a function that asks by what an environ has, and as whom."""
    house = build(
        "session_db_auth",
        TRUSTED_PROXIES="127.0.0.1",
        LOGIN_URL=SIGN_IN,
        ALLOWED_RETURN_HOSTS="app.example",
        IDENTITY_HEADER="on",
    )
    known = house.known(stored_user())
    page = {
        f"HTTP_{name.upper().replace('-', '_')}": value
        for name, value in PAGE.items()
    }

    def ask_by(given: dict[str, str], is_known: bool) -> TestResponse:
        """Ask for a page; servers may let more through than ours does."""
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
def test_in_the_environ(
    asked: Asked, name: str, end: str, before: bool
) -> None:
    """Whatever server hands it on, the answer is the usual one."""
    given = forwarded(name, end, before)
    answer = asked(given, False)
    assert answer.status_code == 302
    assert_harmless(answer.headers["Location"], end)
    assert "X-Injected" not in answer.headers
    answer = asked(given, True)
    assert answer.status_code == 200
    assert "Location" not in answer.headers
    for header in NAMES:
        assert answer.headers[header].isprintable()


def test_the_way_back_is_there_without(asked: Asked) -> None:
    """What has no end of a line leads back, so the others could."""
    assert asked(FROM_PROXY, False).headers["Location"] == (
        f"{SIGN_IN}?return_to=https%3A//app.example/page"
    )
    encoded = FROM_PROXY | {"X-Forwarded-Uri": "/page%0d%0aa"}
    assert asked(encoded, False).headers["Location"] == (
        f"{SIGN_IN}?return_to=https%3A//app.example/page%250d%250aa"
    )
