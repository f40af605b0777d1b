#!/usr/bin/env python3
"""Login and logout in process."""

import logging
from typing import Any

import pytest

from tests.app.api.conftest import Build
from tests.app.api.service import (
    NOT_FOUND,
    PASSWORD,
    RESET,
    Service,
    session_id_of,
    stored_user,
)
from tests.serving import (
    LOGIN,
    LOGOUT,
    ME,
    REFRESH,
)
from tests.stored_sessions import sessions_in
from vestibule.core import clock
from vestibule.db import user_status
from vestibule.db.models.user import User
from vestibule.mechanisms.auth import Auth
from vestibule.mechanisms.session_auth import SessionAuth
from vestibule.mechanisms.session_db_auth import SessionDBAuth
from vestibule.sessions.session import EndReason


def test_end_reason_needs_session_id(service: Service) -> None:
    """A handle, the digest or any other cookie gets no reason."""
    client = service.client_for(stored_user())
    handle = client.get("/api/v1/auth_session/sessions").get_json()[0]["id"]
    session_id = session_id_of(client)
    client.delete(LOGOUT)
    for guess in ("x", handle, session_id[:-1], session_id.upper() + "A"):
        answer = service.client_with_session(guess).get(ME)
        assert answer.status_code == 403
        assert "Session-Ended" not in answer.headers
    answer = service.client().get(ME, headers={"Authorization": "Test"})
    assert "Session-Ended" not in answer.headers


def test_login_ends_previous_session(service: Service) -> None:
    """A planted session id is void after login (session fixation)."""
    user, other = stored_user(), stored_user()
    client = service.client_for(user)
    planted = session_id_of(client)
    form = {"email": other.email, "password": PASSWORD}
    assert client.post(LOGIN, data=form).status_code == 200
    assert session_id_of(client) != planted
    answer = service.client_with_session(planted).get(ME)
    assert answer.status_code == 403
    assert answer.headers["Session-Ended"] == "reason=replaced"
    assert client.get(ME).get_json()["id"] == other.id


@pytest.mark.parametrize("what", ["password", "disabled", "removed"])
def test_concurrent_change_ends_session_of_login(
    service: Service, monkeypatch: pytest.MonkeyPatch, what: str
) -> None:
    """A change that ends all sessions also ends one that starts meanwhile."""
    user = stored_user()
    kind = type(service.mechanism)
    create = kind.create_session
    made: list[str] = []

    def overtaken(self: SessionAuth, user_id: str) -> str:
        """Start a session right after the account was changed."""
        stored = User.get(user_id)
        assert stored is not None
        if what == "password":
            stored.set_hash("$argon2id$another")
            stored.save()
        elif what == "disabled":
            user_status.disable(user_id, clock.now(), EndReason.USER_DISABLED)
        else:
            stored.remove()
        made.append(str(create(self, user_id)))
        return made[0]

    monkeypatch.setattr(kind, "create_session", overtaken)
    answer = service.log_in(user)[1]
    assert answer.status_code == 401
    assert answer.get_json() == {"error": "wrong password"}
    assert "Set-Cookie" not in answer.headers
    assert service.client_with_session(made[0]).get(ME).status_code == 403
    assert not sessions_in(service.mechanism.store, user.id)


def test_custom_mechanism_with_two_methods_has_sessions(
    build: Build, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It inherits nothing of ours."""
    service = build("session_auth")
    user = stored_user()

    class Own:
        """A mechanism with sessions of another kind."""

        open_for: str | None = None

        def require_auth(self, path: str, excluded: list[str]) -> bool:
            """Require no authentication."""
            return False

        def create_session(self, user_id: str) -> str:
            """Start the only session."""
            self.open_for = user_id
            return "one"

        def destroy_session(self, request: object) -> bool:
            """End the only session."""
            was, self.open_for = self.open_for, None
            return was is not None

    own = Own()
    monkeypatch.setattr("api.v1.app.auth", own)
    client, answer = service.log_in(user)
    assert answer.status_code == 200
    assert session_id_of(client) == "one"
    assert own.open_for == user.id
    assert client.delete(LOGOUT).status_code == 200
    answer = client.delete(LOGOUT)
    assert (answer.status_code, answer.get_json()) == (404, NOT_FOUND)


@pytest.mark.parametrize("base", [Auth, SessionAuth, SessionDBAuth])
def test_mechanism_with_create_session_has_login(
    build: Build, monkeypatch: pytest.MonkeyPatch, base: type[Auth]
) -> None:
    """A custom `create_session` is enough to log in."""
    service = build("session_auth")

    class Beginning(base):  # type: ignore[misc, valid-type]
        """A mechanism that keeps its sessions elsewhere."""

        def create_session(self, user_id: Any = None) -> str:
            """Return the id of the only session."""
            return f"of-{user_id}"

    user = stored_user()
    monkeypatch.setattr("api.v1.app.auth", Beginning())
    for client in (
        service.client(),
        service.client_with_session("from-before"),
    ):
        form = {"email": user.email, "password": PASSWORD}
        answer = client.post(LOGIN, data=form)
        assert (answer.status_code, answer.get_json()) == (200, user.to_json())
        assert session_id_of(client) == f"of-{user.id}"


@pytest.mark.parametrize("made", [None, "", 7, b"bytes"])
def test_mechanism_that_creates_no_session_fails_login(
    build: Build,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    made: Any,
) -> None:
    """No user is logged in; the log names the faulty method."""
    service = build("session_auth")

    class Idle(SessionAuth):
        """A mechanism whose sessions have no id."""

        def create_session(self, user_id: Any = None) -> Any:
            """Return a value that is no session id."""
            return made

    monkeypatch.setattr("api.v1.app.auth", Idle())
    _, answer = service.log_in(stored_user())
    assert (answer.status_code, answer.get_json()) == (
        500,
        {"error": "Internal Server Error"},
    )
    assert "Set-Cookie" not in answer.headers
    assert "Idle.create_session returned no session id" in caplog.text
    assert "Traceback" not in caplog.text


def test_application_follows_custom_mechanism(
    build: Build, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another credential than our cookie counts, and 404 is the answer if
    the mechanism ends no session.
    """
    service = build("session_db_auth")

    class ByHeader(SessionDBAuth):
        """A mechanism whose session id comes in a header of its own."""

        def session_cookie(self, request: Any = None) -> Any:
            """Return the id in the header."""
            return request and request.headers.get("X-Session")

        def destroy_session(self, request: Any = None) -> bool:
            """End the session if the query says so."""
            return "really" in request.args and super().destroy_session(
                request
            )

    own = ByHeader()
    monkeypatch.setattr("api.v1.app.auth", own)
    user = stored_user()
    session_id = str(own.create_session(user.id))
    assert service.client_with_session(session_id).get(ME).status_code == 401
    client = service.client()
    assert client.get(ME, headers={"X-Session": "x"}).status_code == 403
    mine = {"X-Session": session_id}
    assert client.get(ME, headers=mine).get_json() == user.to_json()
    left = client.delete(LOGOUT, headers=mine)
    assert (left.status_code, left.get_json()) == (404, NOT_FOUND)
    assert "Set-Cookie" not in left.headers
    assert client.get(ME, headers=mine).status_code == 200
    left = client.delete(f"{LOGOUT}?really=1", headers=mine)
    assert (left.status_code, left.get_json()) == (200, {})
    assert client.get(ME, headers=mine).status_code == 403


def test_login_calls_replaced_end_of_session(
    build: Build, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A subclass may end sessions in its own way."""
    service = build("session_auth")
    ended = []

    class Ending(SessionAuth):
        """A mechanism whose sessions are elsewhere."""

        def destroy_session(self, request: Any = None) -> bool:
            """Record whose session is to end."""
            ended.append(self.session_cookie(request))
            return True

    monkeypatch.setattr("api.v1.app.auth", Ending())
    user = stored_user()
    form = {"email": user.email, "password": PASSWORD}
    assert (
        service.client_with_session("x").post(LOGIN, data=form).status_code
        == 200
    )
    assert ended == ["x"]


def test_login_and_logout_log_no_secret(
    service: Service, caplog: pytest.LogCaptureFixture
) -> None:
    """A refused request logs none either."""
    with caplog.at_level(logging.DEBUG):
        user = stored_user()
        client = service.client_for(user)
        service.log_in(user, "a wrong password")
        session_id = session_id_of(client)
        client.delete(LOGOUT)
        service.client_with_session(session_id).get(ME)
    for secret in (PASSWORD, "a wrong password", session_id):
        assert secret not in caplog.text


@pytest.mark.parametrize(
    ("body", "status", "text"),
    [
        ({}, 400, "email missing"),
        ({"email": "", "password": "x"}, 400, "email missing"),
        ({"email": None, "password": "x"}, 400, "email missing"),
        ({"email": 7, "password": "x"}, 400, "email must be a string"),
        ({"email": "bob@example.com"}, 400, "password missing"),
        (
            {"email": "bob@example.com", "password": ["x"]},
            400,
            "password must be a string",
        ),
        ({"email": "bob@example.com", "password": "x"}, 401, "wrong password"),
        (
            {"email": "x@example.com", "password": "x"},
            404,
            "no user found for this email",
        ),
    ],
)
def test_invalid_json_login_gets_its_error(
    build: Build, body: dict[str, Any], status: int, text: str
) -> None:
    """The errors are those of a form."""
    service = build("session_db_auth")
    stored_user(email="bob@example.com")
    answer = service.client().post(LOGIN, json=body)
    assert (answer.status_code, answer.get_json()) == (status, {"error": text})
    assert "Set-Cookie" not in answer.headers


@pytest.mark.parametrize(
    "body", ["", "[]", "{", '"x"', '{"email":"a","email":"b"}']
)
def test_login_by_broken_json_lacks_the_email(build: Build, body: str) -> None:
    """JSON that is not one object has no fields."""
    answer = (
        build("session_db_auth")
        .client()
        .post(LOGIN, data=body, content_type="application/json")
    )
    assert answer.status_code == 400
    assert answer.get_json() == {"error": "email missing"}


def test_login_takes_json(service: Service) -> None:
    """So do the routes that confirm a password and that reset one."""
    user = stored_user()
    client = service.client()
    body = {"email": user.email, "password": PASSWORD}
    answer = client.post(LOGIN, json=body)
    assert (answer.status_code, answer.get_json()) == (200, user.to_json())
    assert client.get(ME).status_code == 200
    proof = {"password": PASSWORD}
    assert client.post(REFRESH, json=proof).status_code == 200
    answer = client.post(RESET, json={**body, "code": "x"})
    assert answer.get_json() == {"error": "new_password missing"}
    answer = client.post(
        RESET, json={**body, "code": "x", "new_password": "x"}
    )
    assert answer.get_json() == {"error": "wrong or expired code"}


def test_cross_site_json_login_is_refused(service: Service) -> None:
    """As with a form."""
    user = stored_user()
    answer = service.client().post(
        LOGIN,
        json={"email": user.email, "password": PASSWORD},
        headers={"Origin": "https://evil.example"},
    )
    assert answer.status_code == 403
