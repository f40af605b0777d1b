#!/usr/bin/env python3
"""Requests through the proxy: which reach the application, and how."""

from hashlib import sha256
from typing import Any

import pytest

from tests.e2e.forward_auth.deployment import (
    EMAIL,
    FETCH,
    OLD_PAGE,
    PAGE,
    Deployment,
    headers_of,
    reached,
)
from tests.e2e.server.wire import CHUNKED, ask, chunks
from tests.serving import COOKIE

#: Paths that try to reach the application by way of open paths.
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
def test_page_without_session_redirects_to_sign_in(
    deployment: Deployment, headers: dict[str, str]
) -> None:
    """The redirect carries the return address."""
    answer = deployment.get("/page?a=b&c=%20d", headers)
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
def test_other_requests_without_session_get_json_401(
    deployment: Deployment, method: str, headers: dict[str, str]
) -> None:
    """A request that is no page load gets a 401 with JSON."""
    answer = deployment.request(method, "/data", headers=headers)
    assert answer.status_code == 401
    assert answer.json()["error"] == "Unauthorized"
    assert answer.headers["Content-Type"] == "application/json"
    assert answer.headers["Cache-Control"] == "no-store"
    assert "WWW-Authenticate" in answer.headers
    assert not reached(answer)


@pytest.mark.parametrize("method", ["HEAD", "OPTIONS", "PUT", "FOO"])
def test_every_method_is_authenticated(
    deployment: Deployment, method: str
) -> None:
    """The proxy asks Vestibule whatever the method is."""
    answer = deployment.request(method, "/page")
    assert answer.status_code in (401, 405)
    assert not reached(answer)
    assert "X-Own" not in answer.headers


@pytest.mark.parametrize("bad", ["", "unknown", "0" * 5000, "a b", "\x01"])
def test_invalid_cookie_is_refused(deployment: Deployment, bad: str) -> None:
    """Only an open session authenticates.

    Caddy refuses a control character; nginx passes no such cookie on.
    """
    answer = deployment.get("/data", FETCH, bad)
    assert answer.status_code in ((400, 401) if bad == "\x01" else (401,))
    assert not reached(answer)


@pytest.mark.parametrize("target", DETOURS)
def test_path_tricks_do_not_reach_application(
    deployment: Deployment, target: bytes
) -> None:
    """No open path leads to the application."""
    for method in ("GET", "POST"):
        answer = ask(deployment.proxy.port, method, target)
        assert answer.status >= 301, answer
        assert "x-own" not in answer.headers, answer


def test_verify_location_is_internal(
    deployment: Deployment, cookie: str
) -> None:
    """Nginx's location for verify cannot be requested from outside."""
    answer = deployment.get("/_vestibule/verify", PAGE, cookie)
    assert EMAIL not in answer.headers.values()
    if deployment.proxy.program == "nginx":
        assert answer.status_code == 404
    else:
        assert reached(answer)


@pytest.mark.parametrize("headers", [PAGE, FETCH, {}])
def test_request_with_session_reaches_application(
    deployment: Deployment, cookie: str, headers: dict[str, str]
) -> None:
    """The application gets the request and the user's identity."""
    answer = deployment.get("/page?a=b", headers, cookie)
    assert answer.status_code == 203
    shown = answer.json()
    assert (shown["method"], shown["target"]) == ("GET", "/page?a=b")
    seen = headers_of(shown)
    me = deployment.vestibule.request("GET", "/api/v1/users/me", cookie).json()
    assert seen["remote-user"] == me["id"]
    assert seen["remote-email"] == EMAIL
    assert seen["remote-groups"] == "member"
    assert seen["host"] == deployment.proxy.url.removeprefix("http://")
    assert seen["x-forwarded-proto"] == "http"
    assert seen["x-forwarded-for"] == "127.0.0.1"


def test_absent_identity_header_is_empty(
    deployment: Deployment, cookie: str
) -> None:
    """A header without a value is empty or absent.

    Caddy 2.6 forwards its own placeholder if a response lacks a header.
    """
    shown = deployment.get("/page", PAGE, cookie).json()
    assert headers_of(shown).get("x-vestibule-identity", "") == ""
    assert not [
        pair
        for pair in shown["headers"]
        if "{" in pair[1] or "reverse_proxy" in pair[1]
    ]


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE"])
@pytest.mark.parametrize("size", [0, 5, 900_000])
def test_body_reaches_application_unchanged(
    deployment: Deployment, cookie: str, method: str, size: int
) -> None:
    """Each byte of a body arrives although verify ran before."""
    body = bytes(number % 251 for number in range(size))
    shown = deployment.request(method, "/form", cookie, data=body).json()
    assert shown["method"] == method
    assert shown["digest"] == sha256(body).hexdigest()
    assert shown["length"] == size


def test_chunked_body_reaches_application_unchanged(
    deployment: Deployment, cookie: str
) -> None:
    """A body of unknown length arrives too."""
    body = b"0123456789" * 50_000
    answer = ask(
        deployment.proxy.port,
        "POST",
        b"/form",
        [CHUNKED, f"Cookie: {COOKIE}={cookie}".encode()],
        chunks(body),
    )
    assert answer.status == 203
    assert sha256(body).hexdigest().encode() in answer.body


def test_request_with_body_is_refused_without_session(
    deployment: Deployment,
) -> None:
    """Vestibule does not see the body and refuses the request."""
    answer = deployment.request("POST", "/form", data=b"x" * 900_000)
    assert answer.status_code == 401
    assert not reached(answer)
    assert deployment.request("POST", "/form", data=b"x").status_code == 401


@pytest.mark.parametrize(
    ("path", "status"), [("/any", 203), ("/refused", 401)]
)
def test_response_of_application_is_forwarded(
    deployment: Deployment, cookie: str, path: str, status: int
) -> None:
    """Status, headers and cookies arrive, also of the application's 401."""
    answer = deployment.get(path, PAGE, cookie)
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


def test_sign_in_routes_are_open(deployment: Deployment) -> None:
    """An anonymous client reaches the sign-in routes with each method."""
    for path in ("/sign-in?return_to=/page", "/sign-out"):
        answer = deployment.get(path, PAGE)
        assert not reached(answer)
        # A protected path would redirect the browser.
        assert "Location" not in answer.headers
    refused = deployment.request("POST", "/api/v1/auth_session/login", data={})
    assert refused.json() == {"error": "email missing"}
    assert deployment.sign_in()
