#!/usr/bin/env python3
"""ASVS 3: cookies, headers and cross-site requests of browsers."""

from pathlib import Path

import pytest
import requests

from tests.asvs.service import EVIL, Service
from tests.e2e.server.accounts import PASSWORD, account
from tests.e2e.server.matrix import routes
from tests.e2e.server.wire import ask
from tests.serving import LOGOUT, ME, SESSIONS, USERS
from vestibule.db.models.user import User


def flags(response: requests.Response) -> tuple[str, set[str]]:
    """Return the name and the attributes of the cookie that is set."""
    pair, *rest = response.headers["Set-Cookie"].split("; ")
    return pair.partition("=")[0], set(rest)


def test_v3_3_1_secure_host_cookie(hardened: Service) -> None:
    """Hardened: `Secure`, a `__Host-` name, `Path=/` and no `Domain`."""
    name, given = flags(hardened.post_login(account().email, PASSWORD))
    assert name == "__Host-session"
    assert given == {"Secure", "HttpOnly", "Path=/", "SameSite=Lax"}


def test_v3_3_1_name_without_prefix_does_not_start(tmp_path: Path) -> None:
    """Hardened: a name without the prefix stops the start."""
    server = Service(tmp_path, "session", SECURITY_PROFILE="hardened")
    with pytest.raises(RuntimeError, match="__Host-"):
        server.start()


def test_v3_3_4_token_is_only_in_the_cookie(contract: Service) -> None:
    """The cookie is `HttpOnly` and `SameSite`; nothing else has the token."""
    user = account()
    answer = contract.post_login(user.email, PASSWORD)
    name, given = flags(answer)
    assert given == {"HttpOnly", "Path=/", "SameSite=Lax"}
    token = contract.token(answer)
    others = {k: v for k, v in answer.headers.items() if k != "set-cookie"}
    assert token not in answer.text + str(
        {k: v for k, v in others.items() if k.lower() != "set-cookie"}
    )
    for method, path in (
        (("GET", ME)),
        ("GET", SESSIONS),
        ("DELETE", LOGOUT),
        ("GET", ME),
    ):
        answer = contract.request(method, path, token)
        assert token not in answer.text + str(answer.headers)
    contract.events()
    assert token not in "".join(contract.output)
    assert name == contract.cookie_name


@pytest.mark.parametrize("profile", ["contract", "hardened"])
@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/api/v1/status", 200),
        ("GET", "/nothing", 404),
        ("GET", "/api/v1/auth_session/login", 405),
        ("GET", USERS, 401),
        ("GET", "/api/v1/forbidden", 403),
        ("POST", "/api/v1/reset", 404),
    ],
)
def test_v3_4_headers_of_every_response(
    request: pytest.FixtureRequest,
    profile: str,
    method: str,
    path: str,
    status: int,
) -> None:
    """Every response has the security headers and reflects no origin."""
    server: Service = request.getfixturevalue(profile)
    cookie = account("admin").session_id if status in (404, 405) else None
    answer = server.request(
        method,
        path,
        cookie,
        headers={
            "X-Forwarded-Proto": "https",
            "Sec-Fetch-Site": "none",
            "Origin": EVIL,
        },
    )
    assert answer.status_code == status
    headers = answer.headers
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["Referrer-Policy"] == "no-referrer"
    assert headers["Cache-Control"] == "no-store"
    assert "default-src 'none'" in headers["Content-Security-Policy"]
    assert "frame-ancestors 'none'" in headers["Content-Security-Policy"]
    assert {"Cookie", "Authorization"} <= set(headers["Vary"].split(", "))
    allowed = {"contract": "*", "hardened": None}[profile]
    assert headers.get("Access-Control-Allow-Origin") == allowed
    assert "Access-Control-Allow-Credentials" not in headers
    # There is no trusted proxy that could report TLS.
    assert "Strict-Transport-Security" not in headers
    assert headers["Content-Type"].startswith(
        ("application/json", "text/html; charset=utf-8")
    )


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": EVIL},
        {"Sec-Fetch-Site": "cross-site"},
        {"Origin": "null"},
        {"Sec-Fetch-Site": "same-site", "Origin": "http://a.127.0.0.1"},
    ],
)
def test_v3_5_1_cross_site_requests_are_refused(
    hardened: Service, headers: dict[str, str]
) -> None:
    """Every unsafe route refuses cross-site requests, the login too."""
    admin = account("admin")
    for method, path in sorted(routes()):
        if method == "GET":
            continue
        path = path.replace("<user_id>", admin.id).replace("<handle>", "x")
        answer = hardened.request(
            method, path, admin.session_id, headers=headers
        )
        assert answer.status_code == 403, path
    assert User.get(admin.id) is not None
    assert hardened.status(admin.session_id) == 200


def test_v3_5_3_safe_methods_change_nothing(hardened: Service) -> None:
    """GET and HEAD of every route leave users and sessions unchanged."""
    user = account()
    before = User.count()
    for _, path in sorted(routes()):
        path = path.replace("<user_id>", user.id)
        for method in ("GET", "HEAD"):
            hardened.request(
                method,
                path,
                user.session_id,
                headers={"X-HTTP-Method-Override": "DELETE"},
                params={"_method": "DELETE"},
            )
    assert User.count() == before
    assert hardened.status(user.session_id) == 200


def test_v4_1_4_unlisted_methods_are_refused(hardened: Service) -> None:
    """TRACE and others are refused on every route."""
    for method in ("TRACE", "PATCH", "CONNECT"):
        answer = ask(hardened.port, method, ME.encode())
        assert answer.status in (400, 401, 405)
    token = account().session_id
    line = f"Cookie: {hardened.cookie_name}={token}".encode()
    answer = ask(hardened.port, "TRACE", ME.encode(), [line])
    assert answer.status == 405
    assert token.encode() not in answer.body
