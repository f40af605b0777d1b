#!/usr/bin/env python3
"""Security headers and cross-site checks of each response."""

from collections.abc import Iterator
from typing import Any

import pytest

from tests.app.api.conftest import Build
from tests.app.api.matrix import routes
from tests.app.api.service import (
    FORBIDDEN,
    PASSWORD,
    STATUS,
    Service,
    stored_user,
)
from tests.serving import (
    COOKIE,
    LOGIN,
    LOGOUT,
    ME,
    REFRESH,
    SESSIONS,
    USERS,
)
from vestibule.db.models.user import User
from vestibule.mechanisms import MECHANISMS

ALWAYS = {
    "Cache-Control": "no-store",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Content-Security-Policy": (
        "default-src 'none'; frame-ancestors 'none'; base-uri 'none';"
        " form-action 'none'"
    ),
}
TLS = {"base_url": "https://app.example"}
EVIL = "https://evil.example"


def answers(service: Service, **more: Any) -> Iterator[tuple[int, Any]]:
    """Yield a response of each kind with its expected status."""
    client = service.client()
    yield 200, client.get(STATUS, **more)
    yield 204, client.head(STATUS, **more)
    yield 401, client.get(USERS, **more)
    known = service.log_in(stored_user(), **more)[0]
    yield 404, known.get("/api/v1/nothing", **more)
    yield 405, client.get(LOGIN, **more)
    yield (
        405,
        client.get(
            LOGIN, **{**more, "headers": {"Accept": "application/json"}}
        ),
    )
    yield 413, client.post(LOGIN, data={"email": "x" * 99_999}, **more)
    yield 400, client.post(LOGIN, **more)


@pytest.mark.parametrize("base", [{}, TLS])
def test_each_response_has_security_headers(
    service: Service, base: dict[str, str]
) -> None:
    """It holds for any status; HSTS is sent only over TLS."""
    for status, answer in answers(service, **base):
        assert answer.status_code == (200 if status == 204 else status)
        for name, value in ALWAYS.items():
            assert answer.headers.getlist(name) == [value], (status, name)
        assert "Cookie, Authorization" in answer.headers.getlist("Vary")
        assert answer.headers.getlist("Access-Control-Allow-Origin") == ["*"]
        assert "Access-Control-Allow-Credentials" not in answer.headers
        assert answer.headers.getlist("Strict-Transport-Security") == (
            ["max-age=63072000"] if base else []
        )


def test_internal_error_has_security_headers(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The body is a generic 500."""

    def fail() -> int:
        """Raise an error as a defect would."""
        raise KeyError("detail")

    client = service.client_for(stored_user())
    monkeypatch.setattr(User, "count", fail)
    answer = client.get("/api/v1/stats")
    assert answer.status_code == 500
    assert answer.get_json() == {"error": "Internal Server Error"}
    for name, value in ALWAYS.items():
        assert answer.headers[name] == value


@pytest.mark.parametrize(
    ("peer", "forwarded", "is_tls"),
    [
        ("10.0.0.1", "https", True),
        ("10.0.0.1", "http", False),
        ("10.0.0.1", None, False),
        ("10.0.0.2", "https", False),
    ],
)
def test_only_trusted_proxy_reports_tls(
    build: Build, peer: str, forwarded: str | None, is_tls: bool
) -> None:
    """HSTS and the cookie's `Secure` follow the trusted proxy's header."""
    service = build("session_db_auth", TRUSTED_PROXIES="10.0.0.1")
    headers = {} if forwarded is None else {"X-Forwarded-Proto": forwarded}
    answer = service.log_in(
        stored_user(), headers=headers, environ_base={"REMOTE_ADDR": peer}
    )[1]
    assert ("Strict-Transport-Security" in answer.headers) is is_tls
    assert ("; Secure" in answer.headers["Set-Cookie"]) is is_tls


@pytest.mark.parametrize(
    ("listed", "asking", "allowed"),
    [
        ("*", None, "*"),
        ("*", EVIL, "*"),
        ("none", None, None),
        ("none", EVIL, None),
        ("https://a.example,https://b.example:8443", None, None),
        ("https://a.example,https://b.example:8443", EVIL, None),
        (
            "https://a.example,https://b.example:8443",
            "https://b.example:8443",
            "https://b.example:8443",
        ),
        (
            "https://a.example, https://b.example",
            "https://b.example",
            "https://b.example",
        ),
        ("https://a.example", "https://a.example.evil.example", None),
        ("https://a.example", "http://a.example", None),
        ("https://a.example", "null", None),
    ],
)
def test_cors_header_allows_listed_origins_only(
    build: Build, listed: str, asking: str | None, allowed: str | None
) -> None:
    """An unlisted origin is never repeated; `Vary` is set for caches."""
    client = build("session_db_auth", CORS_ORIGINS=listed).client()
    headers = {} if asking is None else {"Origin": asking}
    for path in (STATUS, USERS, "/nothing", LOGIN):
        answer = client.get(path, headers=headers)
        sent = answer.headers.getlist("Access-Control-Allow-Origin")
        assert sent == ([] if allowed is None else [allowed])
        credentials = "Access-Control-Allow-Credentials" in answer.headers
        assert credentials is (allowed not in (None, "*"))
        varies = "Origin" in answer.headers.getlist("Vary")
        assert varies is (listed not in ("none", "*"))


@pytest.mark.parametrize("auth_type", MECHANISMS)
def test_401_names_authentication_scheme(build: Build, auth_type: str) -> None:
    """`Basic`, for which browsers open a dialog, needs `basic_auth`."""
    client = build(auth_type).client()
    scheme = "Basic" if auth_type == "basic_auth" else "Cookie"
    # RFC 7617, section 2.1.
    charset = ', charset="UTF-8"' if scheme == "Basic" else ""
    for path in (USERS, "/api/v1/unauthorized"):
        answer = client.get(path)
        assert answer.status_code == 401
        assert answer.headers["WWW-Authenticate"] == (
            f'{scheme} realm="vestibule"{charset}'
        )


def test_wrong_password_gets_challenge(service: Service) -> None:
    """RFC 9110, section 11.6.1: each 401 has WWW-Authenticate."""
    user = stored_user()
    client = service.client_for(user)
    body = {"current_password": "x", "new_password": "violet umbrella"}
    for answer in (
        service.log_in(user, "wrong")[1],
        client.post(REFRESH, data={"password": "wrong"}),
        client.put(f"{ME}/password", json=body),
    ):
        assert answer.status_code == 401
        assert answer.headers["WWW-Authenticate"] == (
            'Cookie realm="vestibule"'
        )


@pytest.mark.parametrize(
    "headers",
    [
        {"Sec-Fetch-Site": "cross-site"},
        {"Origin": EVIL},
        {"Origin": "null"},
        {"Sec-Fetch-Site": "same-site", "Origin": "http://blog.localhost"},
    ],
)
def test_cross_site_write_is_refused(
    service: Service, headers: dict[str, str]
) -> None:
    """A signed-in user's state does not change; GET still works."""
    user = stored_user()
    client = service.client_for(user)
    for answer in (
        service.log_in(user, headers=headers)[1],
        client.delete(LOGOUT, headers=headers),
        client.post(USERS, json={}, headers=headers),
        client.put(f"{USERS}/{user.id}", json={}, headers=headers),
        client.delete(f"{USERS}/{user.id}", headers=headers),
        client.post("/api/v1/nothing", headers=headers),
    ):
        assert (answer.status_code, answer.get_json()) == (403, FORBIDDEN)
        assert "Set-Cookie" not in answer.headers
    assert client.get(ME, headers=headers).status_code == 200


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Sec-Fetch-Site": "same-origin", "Origin": "http://localhost"},
        {"Sec-Fetch-Site": "none"},
        {"Origin": "http://localhost"},
    ],
)
def test_same_origin_write_is_accepted(
    service: Service, headers: dict[str, str]
) -> None:
    """A program that sends no such headers is accepted too."""
    client, answer = service.log_in(stored_user(), headers=headers)
    assert answer.status_code == 200
    assert client.delete(LOGOUT, headers=headers).status_code == 200


def test_safe_methods_change_nothing(service: Service) -> None:
    """GET and HEAD of every route leave users and sessions unchanged."""
    user = stored_user("admin")
    client = service.client_for(user)
    for _, path in sorted(routes()):
        for method in ("GET", "HEAD"):
            client.open(
                path.replace("<user_id>", user.id),
                method=method,
                headers={"X-HTTP-Method-Override": "DELETE"},
                query_string={"_method": "DELETE"},
            )
    assert User.all() == [user]
    assert len(client.get(SESSIONS).get_json()) == 1


@pytest.mark.parametrize(
    ("peer", "forwarded", "origin", "status"),
    [
        ("10.0.0.1", "https", "http://localhost", 403),
        ("10.0.0.1", "https", "https://localhost", 200),
        # The peer is not trusted, so it is unknown if there was TLS.
        ("10.0.0.2", "https", "http://localhost", 200),
        ("10.0.0.2", None, "https://localhost", 200),
    ],
)
def test_http_origin_is_cross_site_for_https_request(
    build: Build, peer: str, forwarded: str | None, origin: str, status: int
) -> None:
    """If TLS is unknown, both schemes are same-origin."""
    service = build("session_db_auth", TRUSTED_PROXIES="10.0.0.1")
    headers = {"Origin": origin}
    if forwarded is not None:
        headers["X-Forwarded-Proto"] = forwarded
    answer = service.log_in(
        stored_user(), headers=headers, environ_base={"REMOTE_ADDR": peer}
    )[1]
    assert answer.status_code == status


@pytest.mark.parametrize(
    ("base", "setting", "is_secure"),
    [
        ({}, "auto", False),
        (TLS, "auto", True),
        ({}, "always", True),
        (TLS, "always", True),
    ],
)
def test_each_session_cookie_has_same_flags(
    build: Build, base: dict[str, str], setting: str, is_secure: bool
) -> None:
    """Login, refresh and logout set the same flags."""
    service = build("session_db_auth", COOKIE_SECURE=setting)
    client, answer = service.log_in(stored_user(), **base)
    flags = ["HttpOnly", "Path=/", "SameSite=Lax"]
    wanted = [*flags, "Secure"] if is_secure else flags
    again = client.post(REFRESH, data={"password": PASSWORD}, **base)
    for shown in (answer, again):
        value, *rest = shown.headers["Set-Cookie"].split("; ")
        assert value.startswith(f"{COOKIE}=")
        assert sorted(rest) == sorted(wanted)
    gone = client.delete(LOGOUT, **base).headers["Set-Cookie"].split("; ")
    assert gone[0] == f"{COOKIE}="
    assert "Max-Age=0" in gone
    assert set(wanted) <= set(gone)
