#!/usr/bin/env python3
"""Login and logout in process."""

import logging
from typing import Any

import pytest

from tests.app.api.conftest import Build
from tests.app.api.service import (
    FORBIDDEN,
    NOT_FOUND,
    PASSWORD,
    RESET,
    Service,
    basic,
    session_id_of,
    stored_user,
)
from tests.clocks import SetClock
from tests.serving import (
    COOKIE,
    LOGIN,
    LOGOUT,
    ME,
    REFRESH,
)
from vestibule.core import clock
from vestibule.db import user_status
from vestibule.db.models.user import User
from vestibule.mechanisms.auth import Auth
from vestibule.mechanisms.session_auth import SessionAuth
from vestibule.mechanisms.session_db_auth import SessionDBAuth
from vestibule.sessions.session import EndReason


@pytest.mark.parametrize("auth_type", [None, "auth", "basic_auth"])
def test_login_without_sessions_returns_404(
    build: Build, auth_type: str | None
) -> None:
    """Logout returns 404 to every client that passes the filter."""
    user = stored_user()
    service = build(auth_type)
    _, answer = service.log_in(user)
    assert (answer.status_code, answer.get_json()) == (404, NOT_FOUND)
    answer = service.client().delete(
        LOGOUT, headers={"Authorization": basic(user)}
    )
    assert answer.status_code == (403 if auth_type == "auth" else 404)


@pytest.mark.parametrize(
    ("form", "status", "text"),
    [
        ({}, 400, "email missing"),
        ({"email": ""}, 400, "email missing"),
        ({"email": "bob@example.com"}, 400, "password missing"),
        (
            {"email": "bob@example.com", "password": ""},
            400,
            "password missing",
        ),
        (
            {"email": "x@example.com", "password": "x"},
            404,
            "no user found for this email",
        ),
        ({"email": "bob@example.com", "password": "x"}, 401, "wrong password"),
    ],
)
def test_invalid_login_gets_its_error(
    service: Service, form: dict[str, str], status: int, text: str
) -> None:
    """None of the responses sets a cookie."""
    stored_user(email="bob@example.com")
    answer = service.client().post(LOGIN, data=form)
    assert (answer.status_code, answer.get_json()) == (status, {"error": text})
    assert "Set-Cookie" not in answer.headers
    assert ("WWW-Authenticate" in answer.headers) is (status == 401)


def test_logout_ends_session_that_login_started(service: Service) -> None:
    """A later request with the cookie is told the reason."""
    user = stored_user()
    client, answer = service.log_in(user)
    assert answer.get_json() == user.to_json()
    session_id = session_id_of(client)
    assert client.get(ME).get_json() == user.to_json()
    answer = client.delete(LOGOUT)
    assert (answer.status_code, answer.get_json()) == (200, {})
    assert answer.headers["Clear-Site-Data"] == '"cache", "storage"'
    assert client.get_cookie(COOKIE) is None
    holder = service.client_with_session(session_id)
    for answer in (holder.get(ME), holder.delete(LOGOUT)):
        assert (answer.status_code, answer.get_json()) == (403, FORBIDDEN)
        assert answer.headers["Session-Ended"] == "reason=logged_out"


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


def test_login_without_session_name_returns_500(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It fails before a session is created."""
    user = stored_user()
    client = service.client_for(user)
    monkeypatch.delenv("SESSION_NAME")
    answer = service.log_in(user)[1]
    assert answer.status_code == 500
    assert answer.get_json() == {"error": "SESSION_NAME is not set"}
    assert len(service.mechanism.store.listed(user.id)) == 1
    assert client.get(ME).status_code == 401


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


def test_disabled_user_gets_wrong_password_error(service: Service) -> None:
    """Disabling a user also ends their sessions."""
    user = stored_user()
    client = service.client_for(user)
    user_status.disable(user.id, clock.now(), EndReason.USER_DISABLED)
    answer = service.log_in(user)[1]
    assert answer.status_code == 401
    assert answer.get_json() == {"error": "wrong password"}
    answer = client.get(ME)
    assert answer.status_code == 403
    assert answer.headers["Session-Ended"] == "reason=user_disabled"


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
    assert not service.mechanism.store.listed(user.id)


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


def test_oversized_login_form_is_refused(service: Service) -> None:
    """It is refused before it is read."""
    form = {"email": "a@example.com", "password": "x" * 70_000}
    answer = service.client().post(LOGIN, data=form)
    assert answer.status_code == 413
    assert answer.get_json() == {"error": "Request Entity Too Large"}


def test_session_expires_when_idle_or_at_maximum_age(
    build: Build, set_clock: SetClock
) -> None:
    """The response has the reason."""
    service = build(
        "session_db_auth", SESSION_IDLE_TIMEOUT="600", SESSION_MAX_AGE="1500"
    )
    user = stored_user()
    idle, used = service.client_for(user), service.client_for(user)
    for _ in range(3):
        set_clock.advance(400)
        assert used.get(ME).status_code == 200
    answer = idle.get(ME)
    assert answer.headers["Session-Ended"] == "reason=idle_timeout"
    set_clock.advance(301)
    answer = used.get(ME)
    assert answer.headers["Session-Ended"] == "reason=expired"


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
