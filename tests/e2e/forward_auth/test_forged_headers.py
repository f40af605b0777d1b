#!/usr/bin/env python3
"""Headers of a client never count as headers of the proxy."""

import json
from itertools import count

import pytest

from tests.e2e.forward_auth.conftest import Deploy
from tests.e2e.forward_auth.deployment import (
    EMAIL,
    FETCH,
    PAGE,
    PASSWORD,
    Deployment,
    headers_of,
)
from tests.e2e.server.conftest import ADD_USER
from tests.e2e.server.test_throttle import BEFORE_WAITING, RAISE_COUNTERS
from tests.e2e.server.wire import ask
from tests.serving import COOKIE, LOGIN, SESSIONS, Server

FORGED = "forged-by-the-client"
#: Characters that become `_` like a hyphen in CGI, WSGI or PHP variables.
SIGNS = "-_.!#$%&'*+^`|~"
#: Headers that only the proxy may set.
PROXY_HEADERS = [
    "Remote-User",
    "Remote-Email",
    "Remote-Email-Verified",
    "Remote-Groups",
    "Remote-Assurance",
    "X-Vestibule-Identity",
    "X-Forwarded-For",
    "X-Forwarded-Proto",
    "X-Forwarded-Host",
    "X-Real-IP",
    "Forwarded",
]
#: Those of them that nginx refuses, and Caddy removes.
IDENTITY_HEADERS = PROXY_HEADERS[:5]
#: Each throttling test uses its own client address.
hosts = count(20)


def spellings(header: str) -> list[str]:
    """Return names that an application may read as `header`."""
    names = [header.replace("-", sign) for sign in SIGNS]
    names += [header.lower(), header.upper(), header.replace("-", "_", 1)]
    first, _, last = header.rpartition("-")
    return sorted({*names, f"{first}_{last}" if first else header})


def is_refused(deployment: Deployment, name: str) -> bool:
    """Return True if the proxy answers 400 to a header of this name."""
    known = {header.lower() for header in IDENTITY_HEADERS}
    return deployment.proxy.program == "nginx" and name.lower() in known


def assert_basic_is_throttled(
    deployment: Deployment, path: str, opened: int
) -> None:
    """Guess a password until the client must wait; others need not."""

    def attempt(address: str, password: str, number: int) -> int:
        """Try a password with a forged client address; return the status."""
        claimed = f"198.51.100.{number}"
        return deployment.request(
            "GET",
            path,
            address=address,
            auth=(EMAIL, password),
            headers={"X-Forwarded-For": claimed, "X_Forwarded_For": claimed},
        ).status_code

    for number in range(BEFORE_WAITING):
        assert attempt("127.0.0.5", "wrong password", number) == 401
    deployment.vestibule.run(RAISE_COUNTERS)
    for number in range(5):
        # nginx treats a status other than 2xx, 401 and 403 as an error.
        assert attempt("127.0.0.5", PASSWORD, number) in (429, 500)
    assert attempt("127.0.0.6", PASSWORD, 0) == opened


@pytest.mark.parametrize("header", PROXY_HEADERS)
def test_forged_header_does_not_reach_application(
    deployment: Deployment, cookie: str, header: str
) -> None:
    """No spelling arrives, alone or beside the real header."""
    session = f"Cookie: {COOKIE}={cookie}".encode()
    for name in spellings(header):
        line = f"{name}: {FORGED}".encode()
        answer = ask(
            deployment.proxy.port, "GET", b"/page", [session, line, line]
        )
        assert FORGED.encode() not in answer.body, name
        if is_refused(deployment, name):
            assert answer.status == 400, (name, answer)
            continue
        assert answer.status == 203, (name, answer)
        assert EMAIL.encode() in answer.body, name


@pytest.mark.parametrize("header", PROXY_HEADERS)
def test_forged_header_does_not_authenticate(
    deployment: Deployment, header: str
) -> None:
    """Without a session, no header authenticates."""
    for name in spellings(header):
        for value in (EMAIL, "127.0.0.1", "admin"):
            line = f"{name}: {value}".encode()
            answer = ask(deployment.proxy.port, "GET", b"/page", [line])
            refused = 400 if is_refused(deployment, name) else 401
            assert answer.status == refused, (name, answer)
            assert "x-own" not in answer.headers


def test_connection_header_does_not_drop_identity(
    deployment: Deployment, cookie: str
) -> None:
    """A client may not declare the proxy's headers hop-by-hop (RFC 9110,
    section 7.6.1), so that they would be dropped.
    """
    for header in (*PROXY_HEADERS, "Cookie"):
        named = f"Connection: close, {header}".encode()
        answer = ask(
            deployment.proxy.port,
            "GET",
            b"/page",
            [f"Cookie: {COOKIE}={cookie}".encode(), named],
        )
        assert answer.status == 203
        assert EMAIL.encode() in answer.body
        assert b'"x-forwarded-for", "127.0.0.1"' in answer.body
    shown = deployment.request(
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
def test_upgrade_to_other_protocols_is_not_forwarded(
    deployment: Deployment, cookie: str, upgrade: bytes
) -> None:
    """An application with HTTP/2 could otherwise be reached past the proxy."""
    answer = ask(
        deployment.proxy.port,
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
def test_session_stores_real_client_address(
    deployment: Deployment, sign: str
) -> None:
    """The address is neither the proxy's nor a forged one."""
    cookie = deployment.sign_in(
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
    listed = deployment.vestibule.request("GET", SESSIONS, cookie).json()
    (current,) = [one for one in listed if one["current"]]
    assert current["ip"] == "127.0.0.2"


def test_forged_addresses_do_not_evade_throttling(
    deployment: Deployment,
) -> None:
    """Forged addresses give no further tries to one client."""
    host = next(hosts)
    email = f"{deployment.proxy.program}@hbtn.io"
    deployment.vestibule.run(ADD_USER, email, PASSWORD)

    def attempt(address: str, password: str, **headers: str) -> int:
        """Try a password from an address; return the status."""
        return deployment.request(
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
    deployment.vestibule.run(RAISE_COUNTERS)
    for sign in SIGNS:
        name = f"X{sign}Forwarded{sign}For"
        assert attempt(attacker, PASSWORD, **{name: "198.51.100.77"}) == 429
    assert attempt(f"127.0.1.{host}", PASSWORD) == 200


def test_basic_auth_is_throttled_by_client_address(
    deploy: Deploy, with_basic: Server
) -> None:
    """With Basic credentials each proxied request is a login attempt."""
    assert_basic_is_throttled(deploy(with_basic), "/page", 203)


@pytest.mark.parametrize(
    "value",
    [
        "//evil.example",
        "https://evil.example/",
        "/\\evil.example",
        "x" * 10_000,
    ],
)
def test_return_address_cannot_be_forged(
    deployment: Deployment, value: str
) -> None:
    """The return address is the requested path, whatever headers say."""
    for sign in SIGNS:
        forged = {
            f"X{sign}Forwarded{sign}Uri": value,
            f"X{sign}Forwarded{sign}Host": "evil.example",
        }
        answer = deployment.get("/page", {**PAGE, **forged})
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
def test_path_does_not_redirect_to_other_host(
    deployment: Deployment, path: str
) -> None:
    """The path leads to no other host and adds no header."""
    answer = ask(
        deployment.proxy.port,
        "GET",
        path.encode(),
        [f"{name}: {value}".encode() for name, value in PAGE.items()],
    )
    location = answer.headers.get("location", "")
    assert "x-own" not in answer.headers
    assert location.startswith("/") and location[1:2] != "/", answer
    assert "\\" not in location
    assert deployment.get("/data", FETCH).status_code == 401
