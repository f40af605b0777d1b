#!/usr/bin/env python3
"""Disabled and deleted users, and sessions that an admin ends."""

import pytest
import requests

from tests.conftest import Serve
from tests.e2e.server.accounts import PASSWORD, account
from tests.e2e.server.conftest import (
    NOT_FOUND,
    start_with_admin,
    status_and_json,
)
from vestibule.db.models.user import User
from vestibule.db.models.user_session import UserSession


@pytest.mark.parametrize("auth_type", ["session_auth", "session_db_auth"])
def test_disabling_ends_sessions_and_logins(
    serve: Serve, auth_type: str
) -> None:
    """Every session ends and logins fail; enabling restores no session."""
    server = start_with_admin(serve, AUTH_TYPE=auth_type)
    admin, bob = account("admin"), account()
    root = server.login(admin.email, PASSWORD)
    sessions = [server.login(bob.email, PASSWORD) for _ in range(2)]
    path = f"/api/v1/users/{bob.id}/disabled"

    def login(password: str) -> requests.Response:
        """Try to log in as the user."""
        return server.request(
            "POST",
            "/api/v1/auth_session/login",
            data={"email": bob.email, "password": password},
        )

    for disabled in (True, False):
        done = server.request(
            "PUT", path, cookie=root, json={"disabled": disabled}
        )
        assert (done.status_code, done.json()["id"]) == (200, bob.id)
        for session_id in sessions:
            answer = server.request(
                "GET", "/api/v1/users/me", cookie=session_id
            )
            assert answer.status_code == 403
        right, wrong = login(PASSWORD), login("wrong")
        assert wrong.status_code == 401
        if disabled:
            assert (right.status_code, right.content) == (
                wrong.status_code,
                wrong.content,
            )
            assert "Set-Cookie" not in right.headers
        else:
            assert right.status_code == 200


def test_disabled_user_is_refused_with_basic_auth(serve: Serve) -> None:
    """The right email and password are refused while the user is disabled."""
    server = start_with_admin(serve, AUTH_TYPE="basic_auth")
    admin, bob = account("admin"), account()
    root, own = (admin.email, PASSWORD), (bob.email, PASSWORD)
    path = f"/api/v1/users/{bob.id}/disabled"
    for disabled, status in ((True, 403), (False, 200)):
        done = server.request(
            "PUT", path, auth=root, json={"disabled": disabled}
        )
        assert done.status_code == 200
        answer = server.request("GET", "/api/v1/users/me", auth=own)
        assert answer.status_code == status
    for method, route in (
        ("GET", f"/api/v1/users/{bob.id}/sessions"),
        ("DELETE", f"/api/v1/users/{bob.id}/sessions"),
        ("DELETE", "/api/v1/sessions"),
    ):
        answer = server.request(method, route, auth=root)
        assert status_and_json(answer) == NOT_FOUND


@pytest.mark.parametrize("auth_type", ["session_auth", "session_db_auth"])
def test_admin_lists_and_ends_sessions_of_users(
    serve: Serve, auth_type: str
) -> None:
    """An admin sees and ends a user's sessions, then all sessions."""
    server = start_with_admin(serve, AUTH_TYPE=auth_type)
    admin, bob, eve = account("admin"), account(), account()
    UserSession.search()
    for session in UserSession.all():
        session.remove()
    root, other = (server.login(each.email, PASSWORD) for each in (admin, eve))
    sessions = [server.login(bob.email, PASSWORD) for _ in range(3)]
    path = f"/api/v1/users/{bob.id}/sessions"
    listed = server.request("GET", path, cookie=root)
    own = server.request(
        "GET", "/api/v1/auth_session/sessions", cookie=sessions[0]
    ).json()
    assert [each["id"] for each in listed.json()] == [
        each["id"] for each in own
    ]
    assert not any(each["current"] for each in listed.json())
    assert not any(secret in listed.text for secret in sessions)
    ended = server.request("DELETE", path, cookie=root)
    assert status_and_json(ended) == (200, {"ended": 3})
    assert status_and_json(server.request("DELETE", path, cookie=root)) == (
        200,
        {"ended": 0},
    )

    def is_ended(session_id: str) -> bool:
        """Return True if the session is refused."""
        return (
            server.request(
                "GET", "/api/v1/users/me", cookie=session_id
            ).status_code
            == 403
        )

    assert all(map(is_ended, sessions))
    assert not is_ended(root)
    assert not is_ended(other)
    ended = server.request("DELETE", "/api/v1/sessions", cookie=root)
    assert status_and_json(ended) == (200, {"ended": 2})
    assert is_ended(root)
    assert is_ended(other)


@pytest.mark.parametrize("auth_type", ["session_auth", "session_db_auth"])
def test_deleted_user_loses_sessions(serve: Serve, auth_type: str) -> None:
    """The sessions stay refused, also for a new user with the same id."""
    server = start_with_admin(serve, AUTH_TYPE=auth_type)
    admin, bob = account("admin"), account()
    root, own = (server.login(each.email, PASSWORD) for each in (admin, bob))
    path = f"/api/v1/users/{bob.id}"
    assert status_and_json(server.request("DELETE", path, cookie=root)) == (
        200,
        {},
    )
    User(id=bob.id, email=bob.email).save()
    answer = server.request("GET", "/api/v1/users/me", cookie=own)
    assert answer.status_code == 403
