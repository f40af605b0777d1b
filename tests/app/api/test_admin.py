#!/usr/bin/env python3
"""Routes with which admins change accounts, in process."""

from typing import Any

import pytest

from tests.app.api.conftest import Build
from tests.app.api.service import (
    PASSWORD,
    Service,
    stored_user,
)
from tests.clocks import SetClock
from tests.serving import (
    ME,
    REFRESH,
    USERS,
)
from vestibule.db.models.user import User

#: Routes that only admins may use, with either policy.
ROUTES: list[tuple[str, str, Any]] = [
    ("PUT", "/role", {"role": "admin"}),
    ("PUT", "/disabled", {"disabled": True}),
    ("POST", "/password-reset", None),
    ("GET", "/failures", None),
    ("DELETE", "/failures", None),
    ("GET", "/factors", None),
    ("POST", "/factor-reset", None),
    ("GET", "/sessions", None),
    ("DELETE", "/sessions", None),
]
ALL_SESSIONS = "/api/v1/sessions"


def test_role_change_applies_to_open_sessions(service: Service) -> None:
    """The last admin cannot become a member."""
    user, admin = stored_user(), stored_user("admin")
    client, chief = service.client_for(user), service.client_for(admin)
    path = f"{USERS}/{user.id}/role"
    answer = chief.put(path, json={"role": "admin"})
    assert answer.get_json()["id"] == user.id
    assert client.get(f"{USERS}/{admin.id}/sessions").status_code == 200
    assert chief.put(path, json={"role": "member"}).status_code == 200
    assert client.get(f"{USERS}/{admin.id}/sessions").status_code == 403
    answer = chief.put(f"{USERS}/{admin.id}/role", json={"role": "member"})
    assert answer.status_code == 409


@pytest.mark.parametrize(
    ("end", "body", "extra"),
    [
        ("role", [], {}),
        ("role", {}, {"field": "role"}),
        ("role", {"role": "king"}, {"field": "role"}),
        *(
            ("role", {"role": value}, {"field": "role"})
            for value in (None, "", "Admin", 1, ("admin",), True)
        ),
        ("disabled", [], {}),
        ("disabled", {}, {"field": "disabled"}),
        *(
            ("disabled", {"disabled": value}, {"field": "disabled"})
            for value in (None, "true", 1, 0, "")
        ),
    ],
)
def test_invalid_role_or_status_is_refused(
    build: Build, end: str, body: Any, extra: dict[str, str]
) -> None:
    """A 400 names the field, and nothing changes."""
    user = stored_user()
    admin = build("basic_auth").client_for(stored_user("admin"))
    answer = admin.put(f"{USERS}/{user.id}/{end}", json=body)
    assert answer.status_code == 400
    assert answer.get_json() == {"error": "Wrong format", **extra}
    stored = User.get(user.id)
    assert stored is not None
    assert (stored.role, stored.disabled_at) == ("member", None)


def test_disabled_user_loses_sessions_and_login(service: Service) -> None:
    """All sessions end; after enabling, a new login is needed."""
    user = stored_user()
    client, admin = (
        service.client_for(user),
        service.client_for(stored_user("admin")),
    )
    path = f"{USERS}/{user.id}/disabled"
    assert admin.put(path, json={"disabled": True}).status_code == 200
    ended = client.get(ME)
    assert ended.headers["Session-Ended"] == "reason=user_disabled"
    right, wrong = service.log_in(user)[1], service.log_in(user, "wrong")[1]
    assert (right.status_code, right.data) == (401, wrong.data)
    assert "Set-Cookie" not in right.headers
    assert admin.put(path, json={"disabled": False}).status_code == 200
    assert client.get(ME).status_code == 403
    assert service.log_in(user)[1].status_code == 200


def test_admin_lists_and_ends_sessions_of_user(service: Service) -> None:
    """The list shows no secret."""
    user = stored_user()
    clients = [service.client_for(user) for _ in range(2)]
    admin = service.client_for(stored_user("admin"))
    path = f"{USERS}/{user.id}/sessions"
    listed = admin.get(path).get_json()
    assert [one["current"] for one in listed] == [False, False]
    assert admin.delete(path).get_json() == {"ended": 2}
    assert admin.delete(path).get_json() == {"ended": 0}
    for client in clients:
        ended = client.get(ME)
        assert ended.headers["Session-Ended"] == "reason=revoked_by_admin"


def test_admin_ends_sessions_of_all_users(service: Service) -> None:
    """The admin's own session ends too."""
    clients = [service.client_for(stored_user()) for _ in range(2)]
    admin = service.client_for(stored_user("admin"))
    assert clients[0].delete(ALL_SESSIONS).status_code == 403
    assert admin.delete(ALL_SESSIONS).get_json() == {"ended": 3}
    for client in (*clients, admin):
        assert client.get(ME).status_code == 403


#: Changes for which the session must be reauthenticated. The reset of
#: factors asks for the admin's own factor first: see test_factor_reset.
CHANGES: list[tuple[str, str, Any]] = [
    one for one in ROUTES if one[0] != "GET" and one[1] != "/factor-reset"
]


@pytest.mark.parametrize("profile", ["contract", "hardened"])
def test_admin_changes_need_recent_password(
    build: Build, set_clock: SetClock, profile: str
) -> None:
    """A stolen admin session ends no session and makes no admin.

    It gets no reset code either. After a refresh the changes succeed.
    """
    service = build(
        "session_db_auth",
        SECURITY_PROFILE=profile,
        SESSION_NAME="__Host-s",
        COOKIE_SECURE="auto",
    )
    user, admin = stored_user(), service.client_for(stored_user("admin"))
    changes = [
        (method, f"{USERS}/{user.id}{end}", body)
        for method, end, body in CHANGES
    ] + [("DELETE", ALL_SESSIONS, None)]
    set_clock.advance(301)
    for method, path, body in changes:
        answer = admin.open(path, method=method, json=body)
        assert answer.status_code == 403, path
        assert answer.get_json() == {"error": "Re-authentication required"}
    stored = User.get(user.id)
    assert stored is not None
    assert (stored.role, stored.disabled_at) == ("member", None)
    proof = admin.post(REFRESH, data={"password": PASSWORD})
    assert proof.status_code == 200
    for method, path, body in changes:
        answer = admin.open(path, method=method, json=body)
        assert answer.status_code == 200, path


def test_admin_with_basic_needs_no_reauthentication(
    build: Build, set_clock: SetClock
) -> None:
    """Each request has the password."""
    user, admin = stored_user(), stored_user("admin")
    client = build("basic_auth").client_for(admin)
    set_clock.advance(301)
    for method, end, body in CHANGES:
        answer = client.open(
            f"{USERS}/{user.id}{end}", method=method, json=body
        )
        assert answer.status_code == (404 if end == "/sessions" else 200)
