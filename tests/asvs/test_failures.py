#!/usr/bin/env python3
"""ASVS 3.4, 4.1 and 16.5: failures are closed and reveal nothing."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import requests
from sqlalchemy import text

from tests.asvs.conftest import HOST_COOKIE
from tests.asvs.service import Service
from tests.e2e.server.accounts import PASSWORD, account
from tests.e2e.server.matrix import routes
from tests.serving import LOGOUT, ME, SESSIONS, USERS
from vestibule.db.engine import database
from vestibule.db.models.user_session import UserSession

JSON = "application/json"
HTML = "text/html; charset=utf-8"
#: Routes whose 200 response is not JSON.
SHOWN = {"/api/v1/events/export": "text/csv; charset=utf-8"}
HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none';"
    " base-uri 'none'; form-action 'none'",
}


@contextmanager
def running(
    folder: Path, monkeypatch: pytest.MonkeyPatch, **settings: str
) -> Iterator[Service]:
    """Run a hardened server; the test uses its database."""
    server = Service(
        folder, HOST_COOKIE, SECURITY_PROFILE="hardened", **settings
    )
    monkeypatch.setenv("DATABASE_URL", server.env["DATABASE_URL"])
    server.start()
    try:
        yield server
    finally:
        server.stop()


def execute(statement: str) -> None:
    """Execute a statement on the server's database."""
    with database().transaction() as connection:
        connection.execute(text(statement))


@contextmanager
def without(table: str) -> Iterator[None]:
    """Rename a table so that the server does not find it."""
    execute(f"ALTER TABLE {table} RENAME TO away")
    try:
        yield
    finally:
        execute(f"ALTER TABLE away RENAME TO {table}")


def assert_bare(answer: requests.Response, status: int) -> None:
    """Check that an error has our headers and no details."""
    names = {500: "Internal Server Error", 503: "Service Unavailable"}
    assert answer.status_code == status
    assert answer.json() == {"error": names[status]}
    assert answer.headers["Content-Type"] == "application/json"
    for name, value in HEADERS.items():
        assert answer.headers[name] == value
    assert {"Cookie", "Authorization"} <= set(
        answer.headers["Vary"].split(", ")
    )
    assert "Set-Cookie" not in answer.headers
    assert "Access-Control-Allow-Origin" not in answer.headers


def test_v3_4_headers_of_internal_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A 500 has the security headers and no trace of its cause."""
    with running(tmp_path, monkeypatch) as server:
        user = account()
        execute(
            "CREATE TRIGGER broken BEFORE INSERT ON user_sessions"
            " BEGIN SELECT RAISE(ABORT, 'a secret cause'); END"
        )
        answer = server.post_login(user.email, PASSWORD)
        assert_bare(answer, 500)
        assert UserSession.count() == 1
        execute("DROP TRIGGER broken")
        assert server.post_login(user.email, PASSWORD).status_code == 200
    assert "a secret cause" in "".join(server.output)


def test_v3_4_1_hsts_behind_trusted_proxy(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every response has HSTS if a trusted proxy reports TLS."""
    with running(tmp_path, monkeypatch, TRUSTED_PROXIES="127.0.0.1") as server:
        token = account().session_id
        for path, cookie, status in (
            (ME, token, 200),
            (ME, None, 401),
            ("/nothing", token, 404),
            (LOGOUT, token, 405),
            (ME, "x", 403),
        ):
            for proto, told in (
                ("https", "max-age=63072000"),
                ("http", None),
                ("", None),
                # The last entry is of the nearest proxy.
                ("https, http", None),
                ("http, https", "max-age=63072000"),
            ):
                answer = server.request(
                    "GET",
                    path,
                    cookie,
                    headers={
                        "X-Forwarded-Proto": proto,
                    },
                )
                assert answer.status_code == status
                given = answer.headers.get("Strict-Transport-Security")
                assert given == told, (path, proto)


@pytest.mark.parametrize("table", ["users", "user_sessions"])
def test_v16_5_missing_table_refuses_sessions(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, table: str
) -> None:
    """A valid session is refused while the database fails, without data."""
    with running(tmp_path, monkeypatch) as server:
        user = account()
        with without(table):
            for method, path in (
                ("GET", ME),
                ("GET", f"{USERS}/{user.id}"),
                ("GET", SESSIONS),
                ("DELETE", SESSIONS),
                ("DELETE", LOGOUT),
                ("DELETE", f"{USERS}/{user.id}"),
            ):
                answer = server.request(method, path, user.session_id)
                assert_bare(answer, 503)
                assert user.email not in answer.text
            assert_bare(server.post_login(user.email, PASSWORD), 503)
        assert server.status(user.session_id) == 200


def test_v16_5_missing_table_refuses_basic_auth(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The right password is refused too."""
    with running(tmp_path, monkeypatch, AUTH_TYPE="basic_auth") as server:
        login = (account().email, PASSWORD)
        with without("users"):
            assert_bare(server.request("GET", ME, auth=login), 503)
        assert server.request("GET", ME, auth=login).status_code == 200


@pytest.mark.parametrize("password", [PASSWORD, "wrong"])
def test_v16_5_missing_counters_refuse_every_password(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, password: str
) -> None:
    """Without its counters a login does not reveal if a password is right."""
    with running(tmp_path, monkeypatch, THROTTLE="on") as server:
        user = account()
        with without("failures"):
            assert_bare(server.post_login(user.email, password), 503)
        assert server.post_login(user.email, PASSWORD).status_code == 200


def test_v4_1_1_content_type_of_every_route(hardened: Service) -> None:
    """Every response has the right content type, for each role and method."""
    sent = 0
    for method, path in sorted(routes()):
        for role in (None, "member", "admin"):
            user = account(role or "member")
            target = path.replace("<user_id>", user.id)
            for verb in {method, "HEAD", "PATCH"}:
                answer = hardened.request(
                    verb,
                    target.replace("<handle>", "x"),
                    None if role is None else user.session_id,
                )
                assert answer.status_code < 500, (verb, target)
                kinds = {JSON} | {
                    200: {SHOWN.get(path, JSON)},
                    405: {HTML},
                }.get(answer.status_code, set())
                assert answer.headers["Content-Type"] in kinds, (verb, target)
                sent += 1
    assert sent > 200
