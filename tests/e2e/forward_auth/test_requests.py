#!/usr/bin/env python3
"""Requests through the gate: who is let in, and what becomes of it."""

import subprocess
from hashlib import sha256
from typing import Any

import pytest

from tests.e2e.forward_auth.gate import (
    EMAIL,
    FETCH,
    OLD_PAGE,
    PAGE,
    Gate,
    headers_of,
    reached,
)
from tests.e2e.server.wire import CHUNKED, ask, chunks
from tests.serving import COOKIE

#: Ways to the application that lead over paths which need no session.
DETOURS = [
    b"/api/v1/auth_session/../../../page",
    b"/api/v1/auth_session/..%2f..%2f..%2fpage",
    b"/api/v1/auth_session/%2e%2e/%2e%2e/%2e%2e/page",
    b"/api/v1/auth_session/login/../../../../page",
    b"/sign-in/../page",
    b"/sign-in/..;/page",
    b"/sign-in;/page",
    b"/sign-in%2f..%2fpage",
    b"/sign-in%00/page",
    b"/SIGN-IN/page",
    b"/sign-in/",
    b"/sign-inside",
    b"//sign-in/page",
    b"//page",
    b"/./page",
    b"/page?/sign-in",
    b"/page?redirect=off",
    b"/_vestibule/verify",
    b"/_vestibule/verify/../page",
    b"/api/v1/auth_session",
    b"http://127.0.0.1/page",
]


@pytest.mark.parametrize("headers", [PAGE, OLD_PAGE], ids=["new", "old"])
def test_a_page_leads_to_the_sign_in_page(
    gate: Gate, headers: dict[str, str]
) -> None:
    """Who is not signed in is sent there, and told the way back."""
    answer = gate.get("/page?a=b&c=%20d", headers)
    assert answer.status_code == 302
    assert answer.headers["Location"] == (
        "/sign-in?return_to=/page%3Fa%3Db%26c%3D%2520d"
    )
    assert not reached(answer)
    assert "Set-Cookie" not in answer.headers


@pytest.mark.parametrize(
    "headers",
    [
        FETCH,
        {},
        {"Accept": "application/json"},
        {
            **PAGE,
            "Sec-Fetch-Mode": "no-cors",
            "Sec-Fetch-Dest": "image",
        },
    ],
    ids=["fetch", "program", "json", "image"],
)
@pytest.mark.parametrize("method", ["GET", "POST", "DELETE"])
def test_all_else_is_refused(
    gate: Gate, method: str, headers: dict[str, str]
) -> None:
    """What is no page gets 401 and JSON, which a program can read."""
    answer = gate.request(method, "/data", headers=headers)
    assert answer.status_code == 401
    assert answer.json()["error"] == "Unauthorized"
    assert answer.headers["Content-Type"] == "application/json"
    assert answer.headers["Cache-Control"] == "no-store"
    assert "WWW-Authenticate" in answer.headers
    assert not reached(answer)


@pytest.mark.parametrize("method", ["HEAD", "OPTIONS", "PUT", "FOO"])
def test_no_method_goes_past_the_gate(gate: Gate, method: str) -> None:
    """The question is asked whatever is done."""
    answer = gate.request(method, "/page")
    assert answer.status_code in (401, 405)
    assert not reached(answer)
    assert "X-Own" not in answer.headers


@pytest.mark.parametrize("bad", ["", "nobody's", "0" * 5000, "a b", "\x01"])
def test_a_cookie_of_nobody_opens_nothing(gate: Gate, bad: str) -> None:
    """Whatever the cookie has, only an open session lets in.

    nginx takes what is no request at all to Vestibule for an error of it.
    """
    answer = gate.get("/data", FETCH, bad)
    assert answer.status_code in ((400, 500) if bad == "\x01" else (401,))
    assert not reached(answer)


@pytest.mark.parametrize("target", DETOURS)
def test_no_detour_leads_past_the_gate(gate: Gate, target: bytes) -> None:
    """Nothing that Vestibule answers itself is a way to the application."""
    for method in ("GET", "POST"):
        answer = ask(gate.proxy.port, method, target)
        assert answer.status >= 301, answer
        assert "x-own" not in answer.headers, answer


def test_the_question_itself_is_asked_by_the_proxy_alone(
    gate: Gate, cookie: str
) -> None:
    """Where nginx asks it there is nothing to see from outside."""
    answer = gate.get("/_vestibule/verify", PAGE, cookie)
    assert EMAIL not in answer.headers.values()
    if gate.proxy.program == "nginx":
        assert answer.status_code == 404
    else:
        assert reached(answer)


def test_curl(gate: Gate, cookie: str) -> None:
    """The program itself is refused with JSON, and let in by a cookie."""
    silent = ["curl", "-s", "-w", "%{http_code}", gate.proxy.url + "/page"]
    refused = subprocess.run(silent, capture_output=True, text=True)
    assert '"error": "Unauthorized"' in refused.stdout
    assert refused.stdout.endswith("401")
    opened = subprocess.run(
        [*silent, "-b", f"{COOKIE}={cookie}"], capture_output=True, text=True
    )
    assert opened.stdout.endswith("203")
    assert EMAIL in opened.stdout


@pytest.mark.parametrize("headers", [PAGE, FETCH, {}])
def test_who_is_signed_in_is_let_in(
    gate: Gate, cookie: str, headers: dict[str, str]
) -> None:
    """The application gets the request, and is told whose it is."""
    answer = gate.get("/page?a=b", headers, cookie)
    assert answer.status_code == 203
    shown = answer.json()
    assert (shown["method"], shown["target"]) == ("GET", "/page?a=b")
    seen = headers_of(shown)
    me = gate.vestibule.request("GET", "/api/v1/users/me", cookie).json()
    assert seen["remote-user"] == me["id"]
    assert seen["remote-email"] == EMAIL
    assert seen["remote-groups"] == "member"
    assert seen["host"] == gate.proxy.url.removeprefix("http://")
    assert seen["x-forwarded-proto"] == "http"
    assert seen["x-forwarded-for"] == "127.0.0.1"


def test_nothing_is_made_up(gate: Gate, cookie: str) -> None:
    """A header that Vestibule has no value for is empty, or not there.

    Caddy 2.6 sends its own placeholder on where an answer lacks a header.
    """
    shown = gate.get("/page", PAGE, cookie).json()
    assert headers_of(shown).get("x-vestibule-identity", "") == ""
    assert not [
        pair
        for pair in shown["headers"]
        if "{" in pair[1] or "reverse_proxy" in pair[1]
    ]


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE"])
@pytest.mark.parametrize("size", [0, 5, 900_000])
def test_bodies_pass_through(
    gate: Gate, cookie: str, method: str, size: int
) -> None:
    """Each byte of a body arrives, though Vestibule was asked before."""
    body = bytes(number % 251 for number in range(size))
    shown = gate.request(method, "/form", cookie, data=body).json()
    assert shown["method"] == method
    assert shown["digest"] == sha256(body).hexdigest()
    assert shown["length"] == size


def test_chunked_bodies_pass_through(gate: Gate, cookie: str) -> None:
    """A body of unknown length arrives as well."""
    body = b"0123456789" * 50_000
    answer = ask(
        gate.proxy.port,
        "POST",
        b"/form",
        [CHUNKED, f"Cookie: {COOKIE}={cookie}".encode()],
        chunks(body),
    )
    assert answer.status == 203
    assert sha256(body).hexdigest().encode() in answer.body


def test_a_body_does_not_open_the_gate(gate: Gate) -> None:
    """A body that Vestibule never sees is refused with its request."""
    answer = gate.request("POST", "/form", data=b"x" * 900_000)
    assert answer.status_code == 401
    assert not reached(answer)
    assert gate.request("POST", "/form", data=b"x").status_code == 401


@pytest.mark.parametrize(
    ("path", "status"), [("/any", 203), ("/refused", 401)]
)
def test_answers_are_the_application_s(
    gate: Gate, cookie: str, path: str, status: int
) -> None:
    """Its status, headers and cookies arrive; its own 401 does, too."""
    answer = gate.get(path, PAGE, cookie)
    assert answer.status_code == status
    assert reached(answer)
    raw: Any = answer.raw
    assert raw.headers.getlist("Set-Cookie") == [
        "first=1; Path=/",
        "second=2; HttpOnly",
    ]
    assert answer.headers["X-Own"] == "kept"
    assert answer.headers["Location"] == "/elsewhere"
    assert answer.headers["WWW-Authenticate"] == ('Bearer realm="application"')
    assert not {
        "remote-user",
        "remote-email",
        "remote-groups",
        "x-vestibule-identity",
    } & {name.lower() for name in answer.headers}


def test_vestibule_is_reached_through_the_gate(gate: Gate) -> None:
    """Who is not signed in reaches the routes to do so, by each method."""
    for path in ("/sign-in?return_to=/page", "/sign-out"):
        answer = gate.get(path, PAGE)
        assert not reached(answer)
        # The gate would have sent the browser away.
        assert "Location" not in answer.headers
    refused = gate.request("POST", "/api/v1/auth_session/login", data={})
    assert refused.json() == {"error": "email missing"}
    assert gate.sign_in()
