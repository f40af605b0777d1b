#!/usr/bin/env python3
"""Password reset with an admin's code, over sockets."""

import contextlib
import re
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import requests

from tests.conftest import Serve
from tests.e2e.server.accounts import PASSWORD, Account, account
from tests.e2e.server.conftest import start_with_admin, status_and_json
from tests.serving import Server
from tests.threads import at_once
from vestibule.core import clock
from vestibule.db import drivers
from vestibule.db.models.user import User

NEW = "violet umbrella"
WRONG = b'{\n  "error": "wrong or expired code"\n}\n'


def issue(server: Server, bob: Account, **more: Any) -> dict[str, str]:
    """Issue a code as an admin; return the response's JSON."""
    answer = server.request(
        "POST",
        f"/api/v1/users/{bob.id}/password-reset",
        cookie=account("admin").session_id,
        **more,
    )
    assert answer.status_code == 200, answer.text
    shown: dict[str, str] = answer.json()
    assert sorted(shown) == ["code", "expires_at"]
    return shown


def reset(
    server: Server, email: str, code: str, password: str = NEW
) -> requests.Response:
    """Try to set a new password."""
    return server.request(
        "POST",
        "/api/v1/auth_session/reset",
        data={"email": email, "code": code, "new_password": password},
    )


def login(server: Server, bob: Account, password: str) -> int:
    """Try to log in; return the status."""
    return server.request(
        "POST",
        "/api/v1/auth_session/login",
        data={"email": bob.email, "password": password},
    ).status_code


@pytest.mark.parametrize(
    "auth_type", ["session_auth", "session_exp_auth", "session_db_auth"]
)
def test_reset_code_is_single_use(serve: Serve, auth_type: str) -> None:
    """A reset ends all sessions and the old password; it logs no user in."""
    server = start_with_admin(serve, AUTH_TYPE=auth_type)
    root, bob = account("admin"), account()
    admin = server.login(root.email, PASSWORD)
    sessions = [server.login(bob.email, PASSWORD) for _ in range(2)]
    issued = server.request(
        "POST", f"/api/v1/users/{bob.id}/password-reset", cookie=admin
    ).json()
    assert re.fullmatch(r"[0-9A-Z]{4}(-[0-9A-Z]{4}){6}", issued["code"])
    done = reset(server, bob.email, issued["code"])
    assert status_and_json(done) == (200, {})
    assert "Set-Cookie" not in done.headers
    for session_id in sessions:
        me = server.request("GET", "/api/v1/users/me", cookie=session_id)
        assert me.status_code == 403
    assert (
        server.request("GET", "/api/v1/users/me", cookie=admin).status_code
        == 200
    )
    assert (login(server, bob, PASSWORD), login(server, bob, NEW)) == (
        401,
        200,
    )
    again = reset(server, bob.email, issued["code"], "another umbrella")
    assert (again.status_code, again.content) == (400, WRONG)
    assert login(server, bob, NEW) == 200


def test_failed_resets_are_indistinguishable(serve: Serve) -> None:
    """Body and headers do not reveal whether an account or code exists."""
    server = start_with_admin(serve)
    bob, other = account(), account()
    killed = issue(server, bob)["code"]
    code, of_other = issue(server, bob)["code"], issue(server, other)["code"]
    answers = [
        reset(server, bob.email, killed),
        reset(server, bob.email, of_other),
        reset(server, bob.email, code[:-1]),
        reset(server, bob.email, "x" * 10_000),
        reset(server, bob.email, "'; --\0", "short"),
        reset(server, "unknown@example.com", code),
        reset(server, "a\0b", code),
        reset(server, bob.id, code),
    ]
    assert {(a.status_code, a.content) for a in answers} == {(400, WRONG)}
    assert len({tuple(sorted(a.headers)) for a in answers}) == 1
    assert login(server, bob, PASSWORD) == 200
    assert reset(server, bob.email, code).status_code == 200


def test_expired_reset_code_is_refused(serve: Serve, tmp_path: Path) -> None:
    """A code that was issued an hour ago is wrong."""
    server = start_with_admin(serve)
    bob = account()
    code = issue(server, bob)["code"]
    then = clock.now() - timedelta(hours=1)
    path = str(tmp_path / "vestibule.db")
    with contextlib.closing(drivers.sqlite_driver().connect(path)) as database:
        database.execute(
            "UPDATE reset_codes SET created_at = ?",
            [then.isoformat(" ", "microseconds")],
        )
        database.commit()
    late = reset(server, bob.email, code)
    assert (late.status_code, late.content) == (400, WRONG)


def test_concurrent_resets_use_code_once(serve: Serve) -> None:
    """Of six concurrent resets with one code, one succeeds."""
    server = start_with_admin(serve)
    bob = account()
    code = issue(server, bob)["code"]
    answers = at_once(
        6, lambda number: reset(server, bob.email, code, f"{NEW} {number}")
    )
    statuses = [answer.status_code for answer in answers]
    assert statuses.count(200) == 1
    assert set(statuses) <= {200, 400}
    assert login(server, bob, f"{NEW} {statuses.index(200)}") == 200


@pytest.mark.parametrize("missing", ["email", "code", "new_password"])
def test_reset_names_missing_field(serve: Serve, missing: str) -> None:
    """A missing or empty field gets 400 with the field's name."""
    server = start_with_admin(serve)
    form = {"email": "a@b.example", "code": "x", "new_password": NEW}
    for empty in ({}, {missing: ""}):
        given = {k: v for k, v in form.items() if k != missing} | empty
        answer = server.request(
            "POST", "/api/v1/auth_session/reset", data=given
        )
        assert status_and_json(answer) == (
            400,
            {"error": f"{missing} missing"},
        )


def test_invalid_password_does_not_use_up_code(serve: Serve) -> None:
    """The error says why, and the code can be used again."""
    server = start_with_admin(serve)
    bob = account()
    code = issue(server, bob)["code"]
    for bad in ("short", "password1234"):
        answer = reset(server, bob.email, code, bad)
        assert answer.status_code == 400
        assert answer.content != WRONG
        assert bad not in answer.text
    assert reset(server, bob.email, code).status_code == 200


def test_admin_cannot_choose_password_or_code(serve: Serve) -> None:
    """The server ignores a password or code in the admin's request."""
    server = start_with_admin(serve)
    bob = account()
    body = {"password": NEW, "new_password": NEW, "code": "AAAA"}
    code = issue(server, bob, json=body)["code"]
    assert code != "AAAA"
    assert login(server, bob, NEW) == 401
    assert login(server, bob, PASSWORD) == 200
    assert reset(server, bob.email, "AAAA").content == WRONG


def test_reset_applies_to_basic_credentials(serve: Serve) -> None:
    """Without sessions the new password counts as well."""
    server = start_with_admin(serve, AUTH_TYPE="basic_auth")
    root, bob = account("admin"), account()
    code = server.request(
        "POST",
        f"/api/v1/users/{bob.id}/password-reset",
        auth=(root.email, PASSWORD),
    ).json()["code"]
    assert reset(server, bob.email, code).status_code == 200
    for password, status in ((PASSWORD, 403), (NEW, 200)):
        me = server.request(
            "GET", "/api/v1/users/me", auth=(bob.email, password)
        )
        assert me.status_code == status


def test_reset_guesses_are_throttled(serve: Serve) -> None:
    """After some wrong codes, the right one must wait too."""
    server = start_with_admin(serve, THROTTLE="on")
    bob = account()
    code = issue(server, bob)["code"]
    statuses = [
        reset(server, bob.email, "wrong").status_code for _ in range(8)
    ]
    assert statuses[0] == 400
    assert statuses[-1] == 429
    answer = reset(server, bob.email, code)
    assert answer.status_code == 429
    assert int(answer.headers["Retry-After"]) > 0
    stored = User.get(bob.id)
    assert stored is not None
    assert stored.is_valid_password(PASSWORD)


def test_reset_logs_no_secret(serve: Serve) -> None:
    """Neither codes nor passwords appear in the server's output."""
    server = start_with_admin(serve)
    bob = account()
    code = issue(server, bob)["code"]
    reset(server, bob.email, "wrong-code")
    reset(server, bob.email, code)
    printed = "".join(server.output)
    assert not any(secret in printed for secret in (code, "wrong-code", NEW))
