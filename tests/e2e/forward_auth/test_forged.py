#!/usr/bin/env python3
"""What a client says of itself never counts as what the proxy says."""

import json
from itertools import count
from pathlib import Path

import pytest

from tests.e2e.forward_auth.conftest import Guard
from tests.e2e.forward_auth.gate import (
    EMAIL,
    FETCH,
    LOGIN,
    PAGE,
    PASSWORD,
    SESSIONS,
    Gate,
    headers_of,
)
from tests.e2e.server.conftest import ADD_USER
from tests.e2e.server.test_throttle import BEFORE_WAITING, MOVE_ON
from tests.e2e.server.wire import ask
from tests.serving import COOKIE, Server

FORGED = "forged-by-the-client"
#: What stands for a hyphen where headers become variables (CGI, WSGI, PHP).
SIGNS = "-_.!#$%&'*+^`|~"
#: Headers that only the proxy may send.
OURS = [
    "Remote-User",
    "Remote-Email",
    "Remote-Groups",
    "X-Vestibule-Identity",
    "X-Forwarded-For",
    "X-Forwarded-Proto",
    "X-Forwarded-Host",
    "X-Real-IP",
    "Forwarded",
]
#: Each test of throttling comes from an address of its own.
hosts = count(20)


def spellings(header: str) -> list[str]:
    """Return the names that somebody may take for `header`."""
    names = [header.replace("-", sign) for sign in SIGNS]
    names += [header.lower(), header.upper(), header.replace("-", "_", 1)]
    first, _, last = header.rpartition("-")
    return sorted({*names, f"{first}_{last}" if first else header})


def guessing(gate: Gate, path: str, opened: int) -> None:
    """Guess a password until one has to wait; others need not."""

    def attempt(address: str, password: str, number: int) -> int:
        """Try a password; claim to be somebody else; return the status."""
        claimed = f"198.51.100.{number}"
        return gate.request(
            "GET",
            path,
            address=address,
            auth=(EMAIL, password),
            headers={"X-Forwarded-For": claimed, "X_Forwarded_For": claimed},
        ).status_code

    for number in range(BEFORE_WAITING):
        assert attempt("127.0.0.5", "wrong password", number) == 401
    gate.vestibule.run(MOVE_ON)
    for number in range(5):
        # nginx takes what is neither yes nor no for an error.
        assert attempt("127.0.0.5", PASSWORD, number) in (429, 500)
    assert attempt("127.0.0.6", PASSWORD, 0) == opened


@pytest.mark.parametrize("header", OURS)
def test_no_forged_header_arrives(
    gate: Gate, cookie: str, header: str
) -> None:
    """Under no spelling, and not beside another one either."""
    session = f"Cookie: {COOKIE}={cookie}".encode()
    for name in spellings(header):
        line = f"{name}: {FORGED}".encode()
        answer = ask(gate.proxy.port, "GET", b"/page", [session, line, line])
        assert answer.status == 203, (name, answer)
        assert FORGED.encode() not in answer.body, name
        assert EMAIL.encode() in answer.body, name


@pytest.mark.parametrize("header", OURS)
def test_no_forged_header_opens_the_gate(gate: Gate, header: str) -> None:
    """Without a session nothing lets in."""
    for name in spellings(header):
        for value in (EMAIL, "127.0.0.1", "admin"):
            line = f"{name}: {value}".encode()
            answer = ask(gate.proxy.port, "GET", b"/page", [line])
            assert answer.status == 401, (name, answer)
            assert "x-own" not in answer.headers


def test_the_identity_cannot_be_taken_off(gate: Gate, cookie: str) -> None:
    """A client may not name what the proxy adds as its connection's own
    (RFC 9110, 7.6.1), so that it would be dropped on the way.
    """
    for header in (*OURS, "Cookie"):
        named = f"Connection: close, {header}".encode()
        answer = ask(
            gate.proxy.port,
            "GET",
            b"/page",
            [f"Cookie: {COOKIE}={cookie}".encode(), named],
        )
        assert answer.status == 203
        assert EMAIL.encode() in answer.body
        assert b'"x-forwarded-for", "127.0.0.1"' in answer.body
    shown = gate.request(
        "GET",
        "/page",
        cookie,
        headers={"Connection": "Remote-User, Remote-Groups"},
    ).json()
    assert "remote" not in headers_of(shown).get("connection", "").lower()


@pytest.mark.parametrize(
    "upgrade",
    [b"h2c", b"websocket, h2c", b"h2c, foo", b"TLS/1.0", b"websocketh2c"],
)
def test_nothing_but_a_websocket_goes_round_the_proxy(
    gate: Gate, cookie: str, upgrade: bytes
) -> None:
    """An application that takes HTTP/2 would be spoken to without it."""
    answer = ask(
        gate.proxy.port,
        "GET",
        b"/page",
        [
            f"Cookie: {COOKIE}={cookie}".encode(),
            b"Connection: Upgrade, HTTP2-Settings",
            b"Upgrade: " + upgrade,
            b"HTTP2-Settings: AAMAAABkAARAAAAAAAIAAAAA",
        ],
    )
    assert answer.status == 203
    seen = headers_of(json.loads(answer.body))
    assert "upgrade" not in seen
    assert "upgrade" not in seen.get("connection", "").lower()


@pytest.mark.parametrize("sign", SIGNS)
def test_a_session_has_the_client_s_address(gate: Gate, sign: str) -> None:
    """It is neither the proxy's nor one that the client made up."""
    cookie = gate.sign_in(
        "127.0.0.2",
        **{
            name.replace("-", sign): value
            for name, value in {
                "X-Forwarded-For": "203.0.113.9",
                "X-Real-IP": "203.0.113.9",
                "Forwarded": "for=203.0.113.9",
            }.items()
        },
    )
    listed = gate.vestibule.request("GET", SESSIONS, cookie).json()
    (current,) = [one for one in listed if one["current"]]
    assert current["ip"] == "127.0.0.2"


def test_throttling_is_not_fooled(gate: Gate) -> None:
    """Other addresses in headers give no further tries to one client."""
    host = next(hosts)
    email = f"{gate.proxy.program}@hbtn.io"
    gate.vestibule.run(ADD_USER, email, PASSWORD)

    def attempt(address: str, password: str, **headers: str) -> int:
        """Try a password from an address; return the status."""
        return gate.request(
            "POST",
            LOGIN,
            address=address,
            headers=headers,
            data={"email": email, "password": password},
        ).status_code

    attacker = f"127.0.0.{host}"
    for number in range(BEFORE_WAITING):
        forged = {"X-Forwarded-For": f"198.51.100.{number}"}
        assert attempt(attacker, "wrong password", **forged) == 401
    gate.vestibule.run(MOVE_ON)
    for sign in SIGNS:
        name = f"X{sign}Forwarded{sign}For"
        assert attempt(attacker, PASSWORD, **{name: "198.51.100.77"}) == 429
    assert attempt(f"127.0.1.{host}", PASSWORD) == 200


def test_credentials_are_throttled_by_the_client_s_address(
    guard: Guard, tmp_path: Path
) -> None:
    """Where each request proves the password, the question is an attempt."""
    server = Server(
        tmp_path,
        AUTH_TYPE="basic_auth",
        THROTTLE="on",
        TRUSTED_PROXIES="127.0.0.1",
    ).start()
    try:
        server.run(ADD_USER, EMAIL, PASSWORD)
        guessing(guard(server), "/page", 203)
    finally:
        server.stop()


@pytest.mark.parametrize(
    "value",
    [
        "//evil.example",
        "https://evil.example/",
        "/\\evil.example",
        "x" * 10_000,
    ],
)
def test_the_way_back_cannot_be_forged(gate: Gate, value: str) -> None:
    """It is what was asked for, whatever headers say."""
    for sign in SIGNS:
        forged = {
            f"X{sign}Forwarded{sign}Uri": value,
            f"X{sign}Forwarded{sign}Host": "evil.example",
        }
        answer = gate.get("/page", {**PAGE, **forged})
        if answer.status_code in (400, 431, 494):
            assert len(value) > 8000
            continue
        assert answer.status_code == 302
        assert answer.headers["Location"] == "/sign-in?return_to=/page"


@pytest.mark.parametrize(
    "path",
    [
        "//evil.example/",
        "/%5Cevil.example",
        "/%2Fevil.example",
        "/%0d%0aX-Own:%20x",
    ],
)
def test_a_strange_path_is_no_way_elsewhere(gate: Gate, path: str) -> None:
    """What is asked for leads to no other host, and adds no header."""
    answer = ask(
        gate.proxy.port,
        "GET",
        path.encode(),
        [f"{name}: {value}".encode() for name, value in PAGE.items()],
    )
    location = answer.headers.get("location", "")
    assert "x-own" not in answer.headers
    assert location.startswith("/") and location[1:2] != "/", answer
    assert "\\" not in location
    assert gate.get("/data", FETCH).status_code == 401


def test_a_forged_host_is_no_way_elsewhere(gate: Gate) -> None:
    """Who claims to be on another host is not sent there."""
    for headers in (
        [b"X-Forwarded-Host: evil.example"],
        [b"X-Forwarded-Proto: https"],
    ):
        answer = ask(
            gate.proxy.port,
            "GET",
            b"/page",
            [*headers, b"Sec-Fetch-Mode: navigate"],
        )
        assert answer.headers["location"] == "/sign-in?return_to=/page"


def test_the_application_sees_no_forged_address(
    gate: Gate, cookie: str
) -> None:
    """It is told who connected, from wherever that is."""
    answer = gate.request(
        "GET",
        "/page",
        cookie,
        address="127.0.0.2",
        headers={"X-Forwarded-For": "203.0.113.9, 127.0.0.1"},
    )
    assert headers_of(answer.json())["x-forwarded-for"] == "127.0.0.2"
