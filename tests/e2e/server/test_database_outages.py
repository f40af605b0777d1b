#!/usr/bin/env python3
"""The database fails under a running server: 503, and back by itself."""

import contextlib
import resource
from pathlib import Path

import pytest

from tests.backends import PostgreSQL
from tests.conftest import Serve
from tests.e2e.server.conftest import ADD_USER, EMAIL, PASSWORD
from tests.e2e.server.server_state import defect_lines
from tests.e2e.server.waiting import wait_until
from tests.serving import COOKIE, Server
from vestibule.db import drivers, engine, migrate

SETTINGS = {"AUTH_TYPE": "session_db_auth", "SESSION_NAME": COOKIE}
LOGIN = {"email": EMAIL, "password": PASSWORD}
#: What the database's file and its log may each grow to.
DISK = 512 * 1024


def full_disk() -> None:
    """Let no file of the child grow beyond `DISK`."""
    resource.setrlimit(resource.RLIMIT_FSIZE, (DISK, DISK))


def integrity(folder: Path) -> str:
    """Return what SQLite finds wrong with its file, or `ok`."""
    path = str(folder / "vestibule.db")
    with contextlib.closing(drivers.sqlite_driver().connect(path)) as database:
        found = database.execute("PRAGMA integrity_check").fetchone()
        return str(found[0])


def name(server: Server, user_id: str, session: str, text: str) -> int:
    """Name the user and return the status of the answer."""
    return server.request(
        "PUT",
        f"/api/v1/users/{user_id}",
        cookie=session,
        json={"first_name": text},
    ).status_code


def starts(postgresql: PostgreSQL) -> bool:
    """Tell whether the stopped PostgreSQL could be started again."""
    try:
        postgresql.start()
    except RuntimeError:
        return False
    return True


def test_a_full_disk_stops_writes_only(tmp_path: Path) -> None:
    """A write that finds no room answers 503 and leaves nothing; what was
    acknowledged stays, and reads go on.
    """
    server = Server(tmp_path, **SETTINGS).start(preexec=full_disk)
    user_id = server.run(ADD_USER, EMAIL, PASSWORD).strip()
    sessions = [server.login(EMAIL, PASSWORD)]
    named = ""
    statuses = set()
    for turn in range(60):
        # Long names first, so that in the end nothing small fits either.
        text = chr(97 + turn % 26) * (60_000 >> turn // 10)
        status = name(server, user_id, sessions[0], text)
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
        if login.status_code == status == 503 and turn > 20:
            break
    assert statuses == {200, 503}
    assert server.stop() == 0
    assert defect_lines(server) == []
    server.start()
    for session in sessions:
        me = server.request("GET", "/api/v1/users/me", cookie=session)
        assert me.json()["first_name"] == named
    assert name(server, user_id, sessions[0], "room again") == 200
    assert server.stop() == 0
    assert integrity(tmp_path) == "ok"


def test_a_locked_database_delays_writes_only(serve: Serve) -> None:
    """A write that waits for too long answers 503 and when to return."""
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
    assert name(server, user_id, session, "Bob") == 200
    assert defect_lines(server) == []


def test_a_server_database_may_go_and_come_back(
    serve: Serve,
    postgresql: PostgreSQL,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Without its PostgreSQL the server answers 503; with it 200 again."""
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
        # Somebody's connection may have taken the port for a moment.
        assert wait_until(60, lambda: starts(postgresql))
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
