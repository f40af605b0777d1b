#!/usr/bin/env python3
"""ASVS 3.4, 4.1 and 16.5: what fails, fails closed, and says little."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import requests
from sqlalchemy import text

from tests.asvs.service import Service
from tests.e2e.server.accounts import PASSWORD, account
from tests.e2e.server.matrix import routes
from tests.serving import LOGOUT, ME, SESSIONS, USERS
from vestibule.db.engine import database
from vestibule.db.models.user_session import UserSession

HOST_COOKIE = "__Host-session"
JSON = "application/json"
HTML = "text/html; charset=utf-8"
#: What is not shown as JSON where it is shown.
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
    """Run a hardened server, its database being the test's."""
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
    """Change the database under the server."""
    with database().transaction() as connection:
        connection.execute(text(statement))


@contextmanager
def without(table: str) -> Iterator[None]:
    """Take a table away from the server."""
    execute(f"ALTER TABLE {table} RENAME TO away")
    try:
        yield
    finally:
        execute(f"ALTER TABLE away RENAME TO {table}")


def assert_bare(answer: requests.Response, status: int) -> None:
    """Check that an error has our headers, and tells nobody anything."""
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


def test_v3_4_headers_of_a_defect(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A 500 has the headers of every answer, and no trace of its cause."""
    with running(tmp_path, monkeypatch) as server:
        user = account()
        execute(
            "CREATE TRIGGER broken BEFORE INSERT ON user_sessions"
            " BEGIN SELECT RAISE(ABORT, 'a secret cause'); END"
        )
        answer = server.enter(user.email, PASSWORD)
        assert_bare(answer, 500)
        assert UserSession.count() == 1
        execute("DROP TRIGGER broken")
        assert server.enter(user.email, PASSWORD).status_code == 200
    assert "a secret cause" in "".join(server.output)


def test_v3_4_1_transport_security_behind_a_proxy(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where a trusted proxy says that there was TLS, on every answer."""
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
                # The nearest proxy speaks last.
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
def test_v16_5_without_a_table_nobody_comes_in(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, table: str
) -> None:
    """Who was in is out while the database errs: nothing is shown."""
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
            assert_bare(server.enter(user.email, PASSWORD), 503)
        assert server.status(user.session_id) == 200


def test_v16_5_basic_without_a_table(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The right password opens nothing either."""
    with running(tmp_path, monkeypatch, AUTH_TYPE="basic_auth") as server:
        login = (account().email, PASSWORD)
        with without("users"):
            assert_bare(server.request("GET", ME, auth=login), 503)
        assert server.request("GET", ME, auth=login).status_code == 200


@pytest.mark.parametrize("password", [PASSWORD, "wrong"])
def test_v16_5_what_cannot_be_counted_is_not_tried(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, password: str
) -> None:
    """Without its counters a login tells nobody if a password is right."""
    with running(tmp_path, monkeypatch, THROTTLE="on") as server:
        user = account()
        with without("failures"):
            assert_bare(server.enter(user.email, password), 503)
        assert server.enter(user.email, PASSWORD).status_code == 200


def test_v4_1_1_content_type_of_every_route(hardened: Service) -> None:
    """Whoever asks, by whatever method, the body says what it is."""
    asked = 0
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
                asked += 1
    assert asked > 200
