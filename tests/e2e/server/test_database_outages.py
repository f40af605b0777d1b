#!/usr/bin/env python3
"""A database failure leads to 503; the server recovers by itself."""

import contextlib
import resource
from pathlib import Path

import pytest

from tests.backends import PostgreSQL
from tests.conftest import Serve
from tests.e2e.server.conftest import ADD_USER, EMAIL, PASSWORD
from tests.e2e.server.server_state import defect_lines
from tests.e2e.server.waiting import wait_until
from tests.serving import COOKIE, DB_SESSIONS, Server
from vestibule.db import drivers, engine, migrate

SETTINGS = {**DB_SESSIONS}
LOGIN = {"email": EMAIL, "password": PASSWORD}
#: Bytes that the database file and its log may each grow to.
DISK = 512 * 1024


def limit_file_size() -> None:
    """Limit each file of the child process to `DISK` bytes."""
    resource.setrlimit(resource.RLIMIT_FSIZE, (DISK, DISK))


def integrity(folder: Path) -> str:
    """Return the result of SQLite's integrity check: `ok` or an error."""
    path = str(folder / "vestibule.db")
    with contextlib.closing(drivers.sqlite_driver().connect(path)) as database:
        found = database.execute("PRAGMA integrity_check").fetchone()
        return str(found[0])


def set_first_name(
    server: Server, user_id: str, session: str, text: str
) -> int:
    """Set the user's first set_first_name and return the status."""
    return server.request(
        "PUT",
        f"/api/v1/users/{user_id}",
        cookie=session,
        json={"first_name": text},
    ).status_code


def can_start(postgresql: PostgreSQL) -> bool:
    """Return True if the stopped PostgreSQL can_start again."""
    try:
        postgresql.start()
    except RuntimeError:
        return False
    return True


def test_full_disk_refuses_writes_only(tmp_path: Path) -> None:
    """A write without room gets 503 and leaves nothing; acknowledged writes
    stay, and reads go on.
    """
    server = Server(tmp_path, **SETTINGS).start(preexec=limit_file_size)
    user_id = server.run(ADD_USER, EMAIL, PASSWORD).strip()
    sessions = [server.login(EMAIL, PASSWORD)]
    named = ""
    statuses = set()
    for turn in range(600):
        # Long names first, so that in the end short ones do not fit either.
        text = chr(97 + turn % 26) * max(1, 200 - turn // 2)
        status = set_first_name(server, user_id, sessions[0], text)
        statuses.add(status)
        named = text if status == 200 else named
        login = server.request(
            "POST", "/api/v1/auth_session/login", data=LOGIN
        )
        statuses.add(login.status_code)
        if login.status_code == 200:
            sessions.append(login.cookies[COOKIE])
        me = server.request("GET", "/api/v1/users/me", cookie=sessions[0])
        assert me.status_code == 200
        assert (me.json()["first_name"] or "") == named
        if login.status_code == status == 503:
            break
    assert statuses == {200, 503}
    assert server.stop() == 0
    assert defect_lines(server) == []
    server.start()
    for session in sessions:
        me = server.request("GET", "/api/v1/users/me", cookie=session)
        assert me.json()["first_name"] == named
    assert set_first_name(server, user_id, sessions[0], "room again") == 200
    assert server.stop() == 0
    assert integrity(tmp_path) == "ok"


def test_locked_database_refuses_writes_only(serve: Serve) -> None:
    """A write that waits too long gets 503 with `Retry-After`."""
    server = serve(**SETTINGS, DATABASE_TIMEOUT="200")
    user_id = server.run(ADD_USER, EMAIL, PASSWORD).strip()
    session = server.login(EMAIL, PASSWORD)
    path = str(server.folder / "vestibule.db")
    with contextlib.closing(drivers.sqlite_driver().connect(path)) as other:
        other.isolation_level = None
        other.execute("BEGIN IMMEDIATE")
        for method, target, given in (
            ("PUT", f"users/{user_id}", {"json": {"first_name": "Bob"}}),
            ("POST", "auth_session/login", {"data": LOGIN}),
            ("DELETE", f"users/{user_id}", {}),
            ("DELETE", "auth_session/logout", {}),
        ):
            answer = server.request(
                method, f"/api/v1/{target}", cookie=session, **given
            )
            assert answer.status_code == 503, target
            assert answer.json() == {"error": "Service Unavailable"}
            assert int(answer.headers["Retry-After"]) >= 1
            assert "Set-Cookie" not in answer.headers
            for read in ("users/me", "users", "stats"):
                assert (
                    server.request(
                        "GET", f"/api/v1/{read}", cookie=session
                    ).status_code
                    == 200
                )
        other.execute("ROLLBACK")
    me = server.request("GET", "/api/v1/users/me", cookie=session)
    assert me.json()["first_name"] is None
    assert set_first_name(server, user_id, session, "Bob") == 200
    assert defect_lines(server) == []


def test_server_recovers_after_postgresql_outage(
    serve: Serve,
    postgresql: PostgreSQL,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Without PostgreSQL the server responds with 503, afterwards with 200."""
    url = postgresql.fresh_url()
    monkeypatch.setenv("DATABASE_URL", url)
    fresh = engine.configured_database()
    migrate.upgrade(fresh)
    fresh.close()
    server = serve(**SETTINGS, DATABASE_URL=url)
    server.run(ADD_USER, EMAIL, PASSWORD)
    session = server.login(EMAIL, PASSWORD)
    postgresql.stop()
    try:
        for _ in range(5):
            me = server.request("GET", "/api/v1/users/me", cookie=session)
            assert me.status_code == 503
            assert me.json() == {"error": "Service Unavailable"}
        login = server.request(
            "POST", "/api/v1/auth_session/login", data=LOGIN
        )
        assert login.status_code == 503
        status = server.request("GET", "/api/v1/status")
        assert status.status_code == 200
    finally:
        # A connection of another process may have taken the port briefly.
        assert wait_until(60, lambda: can_start(postgresql))
    assert wait_until(
        5,
        lambda: (
            server.request(
                "GET", "/api/v1/users/me", cookie=session
            ).status_code
            == 200
        ),
    )
    for _ in range(20):
        me = server.request("GET", "/api/v1/users/me", cookie=session)
        assert me.status_code == 200
    server.login(EMAIL, PASSWORD)
    assert defect_lines(server) == []


def test_sessions_through_a_pooler_survive_a_restart(
    serve: Serve, on_pgbouncer: str
) -> None:
    """The transcript of database sessions replays behind PgBouncer."""
    server = serve(
        **SETTINGS, DATABASE_URL=on_pgbouncer, DATABASE_POOLER="transaction"
    )
    server.run(ADD_USER, EMAIL, PASSWORD)
    session = server.login(EMAIL, PASSWORD)
    me = "/api/v1/users/me"
    assert server.request("GET", me).status_code == 401
    assert server.request("GET", me, cookie=session).status_code == 200
    assert server.stop() == 0
    server.start()
    assert server.request("GET", me, cookie=session).status_code == 200
    assert server.request("GET", "/readyz").status_code == 200
    logout = server.request(
        "DELETE", "/api/v1/auth_session/logout", cookie=session
    )
    assert (logout.status_code, logout.json()) == (200, {})
    assert server.request("GET", me, cookie=session).status_code == 403
    assert defect_lines(server) == []
