#!/usr/bin/env python3
"""The routes of the current user's account, in process."""

from typing import Any

import pytest
from sqlalchemy import text

from tests.app.api.conftest import Build
from tests.app.api.service import (
    NEW,
    PASSWORD,
    Service,
    session_id_of,
    stored_user,
)
from tests.clocks import SetClock
from tests.serving import (
    COOKIE,
    ME,
    REFRESH,
    SESSIONS,
)
from vestibule.db.engine import database
from vestibule.db.models.user import User
from vestibule.mechanisms.session_db_auth import SessionDBAuth

PASSWORD_PATH = f"{ME}/password"
EMAIL_PATH = f"{ME}/email"
TOO_OLD = {"error": "Re-authentication required"}


def change(
    client: Any, new: Any = NEW, current: Any = PASSWORD, **more: Any
) -> Any:
    """Send a request that changes the password."""
    body = {"current_password": current, "new_password": new}
    return client.put(PASSWORD_PATH, json=body, **more)


def is_password(user: User, password: str) -> bool:
    """Return True if this is the stored password of a user."""
    stored = User.get(user.id)
    return stored is not None and stored.is_valid_password(password)


def test_new_password_ends_other_sessions(service: Service) -> None:
    """The client's own session goes on under a new id; the old id is void."""
    user = stored_user()
    client, other = service.client_for(user), service.client_for(user)
    bystander = service.client_for(stored_user())
    before = session_id_of(client)
    (handle,) = [
        one["id"] for one in client.get(SESSIONS).get_json() if one["current"]
    ]
    answer = change(client)
    assert answer.status_code == 200
    assert answer.get_json()["id"] == user.id
    assert "HttpOnly" in answer.headers["Set-Cookie"]
    assert session_id_of(client) != before
    (only,) = client.get(SESSIONS).get_json()
    assert (only["id"], only["current"]) == (handle, True)
    ended = other.get(ME)
    assert ended.headers["Session-Ended"] == "reason=password_changed"
    stolen = service.client_with_session(before).get(ME)
    assert stolen.status_code == 403
    assert stolen.headers["Session-Ended"] == "reason=rotated"
    assert bystander.get(ME).status_code == 200
    assert is_password(user, NEW)
    assert service.log_in(user)[1].status_code == 401
    assert service.log_in(user, NEW)[1].status_code == 200


@pytest.mark.parametrize(
    ("body", "status", "text"),
    [
        ([], 400, "Wrong format"),
        ({}, 400, "current_password missing"),
        ({"current_password": ""}, 400, "current_password missing"),
        (
            {"current_password": 1, "new_password": NEW},
            400,
            "current_password must be a string",
        ),
        ({"current_password": PASSWORD}, 400, "new_password missing"),
        (
            {"current_password": PASSWORD, "new_password": None},
            400,
            "new_password missing",
        ),
        (
            {"current_password": PASSWORD, "new_password": ["x"]},
            400,
            "new_password must be a string",
        ),
        (
            {"current_password": "x", "new_password": NEW},
            401,
            "wrong password",
        ),
        # A caller without the current password learns no password rule.
        (
            {"current_password": "x", "new_password": "x"},
            401,
            "wrong password",
        ),
        (
            {"current_password": PASSWORD, "new_password": PASSWORD},
            400,
            "new_password is the present one",
        ),
        (
            {"current_password": PASSWORD, "new_password": "gwendoline.1"},
            400,
            "new_password is a word of this account or service",
        ),
        (
            {"current_password": PASSWORD, "new_password": "\u00e9" * 2049},
            400,
            "new_password must have at most 4096 bytes",
        ),
        (
            {"current_password": PASSWORD, "new_password": "lone \ud800 half"},
            400,
            "password is not valid Unicode",
        ),
    ],
)
def test_invalid_new_password_is_refused(
    build: Build, body: Any, status: int, text: str
) -> None:
    """The response names the error; password and sessions stay unchanged."""
    service = build("session_db_auth")
    user = stored_user(email="gwendoline@example.com")
    client, other = service.client_for(user), service.client_for(user)
    answer = client.put(PASSWORD_PATH, json=body)
    assert (answer.status_code, answer.get_json()) == (status, {"error": text})
    assert "Set-Cookie" not in answer.headers
    assert is_password(user, PASSWORD)
    assert client.get(ME).status_code == other.get(ME).status_code == 200


@pytest.mark.parametrize("table", ["user_sessions", "ended_sessions"])
def test_failed_password_change_leaves_password_and_sessions(
    build: Build, table: str
) -> None:
    """A failure between the two writes undoes both."""
    service = build("session_db_auth")
    user = stored_user()
    client, other = service.client_for(user), service.client_for(user)
    act = {"user_sessions": "DELETE", "ended_sessions": "INSERT"}[table]
    with database().transaction() as connection:
        connection.execute(
            text(
                f"CREATE TRIGGER broken BEFORE {act} ON {table}"
                " BEGIN SELECT RAISE(ABORT, 'broken'); END"
            )
        )
    assert change(client).status_code == 500
    assert is_password(user, PASSWORD)
    for one in (client, other):
        assert one.get(ME).status_code == 200
    with database().transaction() as connection:
        connection.execute(text("DROP TRIGGER broken"))
    assert change(client).status_code == 200
    assert client.get(ME).status_code == 200
    assert other.get(ME).status_code == 403


@pytest.mark.parametrize("auth_type", ["session_auth", "basic_auth"])
def test_password_change_ends_sessions_of_other_servers(
    build: Build, auth_type: str
) -> None:
    """Another server may keep sessions in the same database."""
    user = stored_user()
    session_id = SessionDBAuth().create_session(user.id)
    answer = change(build(auth_type).client_for(user))
    assert answer.status_code == 200
    # With HTTP Basic there is no session to renew.
    assert ("Set-Cookie" in answer.headers) is (auth_type != "basic_auth")
    assert is_password(user, NEW)
    assert SessionDBAuth().user_id_for_session_id(session_id) is None


def test_email_change_needs_recent_password(
    service: Service, set_clock: SetClock
) -> None:
    """A login counts for five minutes; a refresh starts them again."""
    user = stored_user()
    client = service.client_for(user)
    set_clock.advance(300)
    answer = client.put(EMAIL_PATH, json={"email": "one@example.com"})
    assert (answer.status_code, answer.get_json()["email"]) == (
        200,
        "one@example.com",
    )
    set_clock.advance(1)
    answer = client.put(EMAIL_PATH, json={"email": "two@example.com"})
    assert (answer.status_code, answer.get_json()) == (403, TOO_OLD)
    assert client.post(REFRESH, data={"password": PASSWORD}).status_code == 200
    answer = client.put(EMAIL_PATH, json={"email": "two@example.com"})
    assert answer.status_code == 200
    stored = User.get(user.id)
    assert stored is not None
    assert stored.email == "two@example.com"
    form = {"email": "two@example.com", "password": PASSWORD}
    login = service.client().post("/api/v1/auth_session/login", data=form)
    assert login.status_code == 200


def test_email_change_in_scripted_session_is_refused(build: Build) -> None:
    """No password was checked when a script created the session."""
    service = build("session_db_auth")
    session_id = service.mechanism.create_session(stored_user().id)
    answer = service.client_with_session(session_id).put(
        EMAIL_PATH, json={"email": "one@example.com"}
    )
    assert (answer.status_code, answer.get_json()) == (403, TOO_OLD)


def test_email_change_with_basic_needs_no_reauthentication(
    build: Build,
) -> None:
    """Each request has the password."""
    user = stored_user()
    client = build("basic_auth").client_for(user)
    answer = client.put(EMAIL_PATH, json={"email": "one@example.com"})
    assert answer.status_code == 200


@pytest.mark.parametrize(
    ("body", "text"),
    [
        ([], "Wrong format"),
        ({}, "email missing"),
        ({"email": ""}, "email missing"),
        ({"email": 1}, "email must be a string"),
        ({"email": "x"}, "email is not an email address"),
        ({"email": "Taken@example.com"}, "email is already registered"),
    ],
)
def test_invalid_new_email_is_refused(
    build: Build, body: Any, text: str
) -> None:
    """A 400 says why, and the email stays."""
    stored_user(email="taken@example.com")
    user = stored_user()
    client = build("session_db_auth").client_for(user)
    answer = client.put(EMAIL_PATH, json=body)
    assert (answer.status_code, answer.get_json()) == (400, {"error": text})
    assert client.get(ME).get_json()["email"] == user.email


def test_refresh_rotates_session_id(service: Service) -> None:
    """The handle stays, and so do the other sessions."""
    user = stored_user()
    client, other = service.client_for(user), service.client_for(user)
    before = session_id_of(client)
    handles = {one["id"] for one in client.get(SESSIONS).get_json()}
    answer = client.post(REFRESH, data={"password": PASSWORD})
    assert answer.get_json() == user.to_json()
    assert session_id_of(client) != before
    assert {one["id"] for one in client.get(SESSIONS).get_json()} == handles
    stolen = service.client_with_session(before).get(ME)
    assert stolen.headers["Session-Ended"] == "reason=rotated"
    assert other.get(ME).status_code == 200


@pytest.mark.parametrize(
    ("form", "status", "text"),
    [
        ({}, 400, "password missing"),
        ({"password": ""}, 400, "password missing"),
        ({"password": "wrong"}, 401, "wrong password"),
    ],
)
def test_refresh_with_wrong_password_is_refused(
    service: Service, form: dict[str, str], status: int, text: str
) -> None:
    """The session goes on under its old id and is not reauthenticated."""
    client = service.client_for(stored_user())
    before = session_id_of(client)
    answer = client.post(REFRESH, data=form)
    assert (answer.status_code, answer.get_json()) == (status, {"error": text})
    assert session_id_of(client) == before
    assert client.get(ME).status_code == 200


def test_member_deletes_own_account(service: Service) -> None:
    """All sessions end, and the cookie is removed."""
    user, other = stored_user(), stored_user()
    client, phone = service.client_for(user), service.client_for(user)
    answer = client.delete(ME)
    assert (answer.status_code, answer.get_json()) == (200, {})
    assert client.get_cookie(COOKIE) is None
    assert User.get(user.id) is None and User.get(other.id) == other
    ended = phone.get(ME)
    assert ended.status_code == 403
    assert ended.headers["Session-Ended"] == "reason=user_removed"


def test_own_account_needs_recent_authentication(
    build: Build, set_clock: SetClock
) -> None:
    """A stolen session cannot delete the account, under any profile."""
    service = build("session_db_auth")
    user = stored_user()
    client = service.client_for(user)
    set_clock.advance(301)
    answer = client.delete(f"{ME}/")
    assert (answer.status_code, answer.get_json()) == (403, TOO_OLD)
    client.post(REFRESH, data={"password": PASSWORD})
    assert client.delete(f"{ME}/").status_code == 200


def test_last_admin_stays(build: Build) -> None:
    """Deleting oneself leaves an admin, under the policy `self` too."""
    service = build("session_db_auth", AUTHZ_POLICY="self")
    admin = stored_user("admin")
    assert service.client_for(admin).delete(ME).status_code == 409
    assert User.get(admin.id) == admin


def test_unauthenticated_request_deletes_nothing(build: Build) -> None:
    """Without a mechanism there is no own account."""
    user = stored_user()
    for kind, status in (("session_db_auth", 401), (None, 404)):
        assert build(kind).client().delete(ME).status_code == status
    assert User.count() == 1 and User.get(user.id) == user
