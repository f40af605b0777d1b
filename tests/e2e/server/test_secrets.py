#!/usr/bin/env python3
"""Passwords and session ids appear in no output and not in the database."""

import base64
import contextlib

from tests.conftest import Serve
from tests.e2e.server.conftest import ADD_USER, EMAIL, PASSWORD
from tests.e2e.server.wire import FORM, JSON, ask
from tests.serving import COOKIE, DB_SESSIONS, LOGIN, Server
from vestibule.db import drivers

WRONG = "Wr0ng-but-near-the-right-one"
OTHER = "An0ther-password-of-another-user"


def send_secrets(server: Server) -> list[str]:
    """Send passwords and session ids, valid and not; return the ids."""
    ids = [server.login(EMAIL, PASSWORD) for _ in range(3)]
    send_credentials(server, ids[0])
    send_malformed(server, ids[0])
    fail_login_write(server)
    server.request("DELETE", "/api/v1/auth_session/logout", cookie=ids[1])
    server.request("GET", "/api/v1/users/me", cookie=ids[1])
    return ids


def send_credentials(server: Server, session_id: str) -> None:
    """Send passwords where they belong and where they do not."""
    for email, password in (
        (EMAIL, WRONG),
        ("unknown@hbtn.io", WRONG),
        ("", PASSWORD),
        (PASSWORD, WRONG),
    ):
        given = {"email": email, "password": password}
        server.request("POST", LOGIN, data=given)
        server.request("POST", LOGIN, json=given)
        server.request("GET", LOGIN, params=given)
        server.request("POST", "/api/v1/users", cookie=session_id, json=given)
    basic = base64.b64encode(f"{EMAIL}:{PASSWORD}".encode()).decode()
    server.request(
        "GET", "/api/v1/users", headers={"Authorization": f"Basic {basic}"}
    )
    server.request(
        "POST",
        "/api/v1/users",
        cookie=session_id,
        json={"email": "other@hbtn.io", "password": OTHER},
    )


def send_malformed(server: Server, session_id: str) -> None:
    """Send secrets in requests that are malformed."""
    cookie = f"Cookie: {COOKIE}={session_id}".encode()
    broken = f'{{"email": "{EMAIL}", "password": "{WRONG}'.encode()
    ask(server.port, "POST", b"/api/v1/users", [cookie, JSON], broken)
    ask(
        server.port,
        "POST",
        LOGIN.encode(),
        [cookie, FORM],
        b"password=" + PASSWORD.encode() + b"&email=\xff" + b"a" * 70_000,
    )
    ask(server.port, "GET", b"/api/v1/users/me", [cookie + b"x"])
    ask(server.port, "FOO", b"/api/v1/users", [cookie])


def fail_login_write(server: Server) -> None:
    """Log in while another program holds the write lock: that gets 503."""
    path = str(server.folder / "vestibule.db")
    form = {"email": EMAIL, "password": PASSWORD}
    with contextlib.closing(drivers.sqlite_driver().connect(path)) as other:
        other.isolation_level = None
        other.execute("BEGIN IMMEDIATE")
        assert server.request("POST", LOGIN, data=form).status_code == 503
        other.execute("ROLLBACK")


def test_secrets_are_not_printed_or_stored(serve: Serve) -> None:
    """After logins, failures and errors, neither the server's output nor the
    database files contain a password or a session id.
    """
    server = serve(
        **DB_SESSIONS,
        DATABASE_TIMEOUT="100",
        LOG_LEVEL="debug",
    )
    server.run(ADD_USER, EMAIL, PASSWORD)
    ids = send_secrets(server)
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
