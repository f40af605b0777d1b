#!/usr/bin/env python3
"""Secrets stay where they belong: not in output, not in the database."""

import base64
import contextlib

from tests.conftest import Serve
from tests.e2e.server.conftest import ADD_USER, EMAIL, PASSWORD
from tests.e2e.server.wire import FORM, JSON, ask
from tests.serving import COOKIE, Server
from vestibule.db import drivers

WRONG = "Wr0ng-but-near-the-right-one"
OTHER = "An0ther-password-of-somebody"


def try_everything(server: Server) -> list[str]:
    """Use passwords and session ids rightly and wrongly; return the ids."""
    login = "/api/v1/auth_session/login"
    ids = [server.login(EMAIL, PASSWORD) for _ in range(3)]
    for email, password in (
        (EMAIL, WRONG),
        ("nobody@hbtn.io", WRONG),
        ("", PASSWORD),
        (PASSWORD, WRONG),
    ):
        given = {"email": email, "password": password}
        server.request("POST", login, data=given)
        server.request("POST", login, json=given)
        server.request("GET", login, params=given)
        server.request("POST", "/api/v1/users", cookie=ids[0], json=given)
    basic = base64.b64encode(f"{EMAIL}:{PASSWORD}".encode()).decode()
    server.request(
        "GET", "/api/v1/users", headers={"Authorization": f"Basic {basic}"}
    )
    server.request(
        "POST",
        "/api/v1/users",
        cookie=ids[0],
        json={
            "email": "other@hbtn.io",
            "password": OTHER,
        },
    )
    cookie = f"Cookie: {COOKIE}={ids[0]}".encode()
    broken = f'{{"email": "{EMAIL}", "password": "{WRONG}'.encode()
    ask(server.port, "POST", b"/api/v1/users", [cookie, JSON], broken)
    ask(
        server.port,
        "POST",
        login.encode(),
        [cookie, FORM],
        b"password=" + PASSWORD.encode() + b"&email=\xff" + b"a" * 70_000,
    )
    ask(server.port, "GET", b"/api/v1/users/me", [cookie + b"x"])
    ask(server.port, "FOO", b"/api/v1/users", [cookie])
    path = str(server.folder / "vestibule.db")
    with contextlib.closing(drivers.sqlite_driver().connect(path)) as other:
        other.isolation_level = None
        other.execute("BEGIN IMMEDIATE")
        assert (
            server.request(
                "POST",
                login,
                data={
                    "email": EMAIL,
                    "password": PASSWORD,
                },
            ).status_code
            == 503
        )
        other.execute("ROLLBACK")
    server.request("DELETE", "/api/v1/auth_session/logout", cookie=ids[1])
    server.request("GET", "/api/v1/users/me", cookie=ids[1])
    return ids


def test_no_secret_is_told_or_stored(serve: Serve) -> None:
    """After logins, failures and errors, neither what the server says nor
    what its database keeps has a password or a session id in it.
    """
    server = serve(
        AUTH_TYPE="session_db_auth",
        SESSION_NAME=COOKIE,
        DATABASE_TIMEOUT="100",
        LOG_LEVEL="debug",
    )
    server.run(ADD_USER, EMAIL, PASSWORD)
    ids = try_everything(server)
    kept = list(server.folder.glob("vestibule.db*"))
    while_running = b"".join(file.read_bytes() for file in kept)
    assert b"argon2id" in while_running
    assert server.stop() == 0
    said = "".join(server.output).encode()
    assert b"503" in said or b"busy" in said
    kept = list(server.folder.glob("vestibule.db*"))
    at_rest = b"".join(file.read_bytes() for file in kept)
    for secret in (PASSWORD, WRONG, OTHER, *ids):
        for place in (said, while_running, at_rest):
            assert secret.encode() not in place
