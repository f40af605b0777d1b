#!/usr/bin/env python3
"""Logging in and out, in this process."""

import logging
from collections.abc import Callable
from typing import Any

import pytest
from flask import Flask, jsonify, request
from flask.testing import FlaskClient

from tests.app.api.conftest import Build
from tests.app.api.house import (
    FORBIDDEN,
    LOGIN,
    LOGOUT,
    ME,
    NOT_FOUND,
    PASSWORD,
    House,
    basic,
    session_id_of,
    stored_user,
)
from tests.clocks import SetClock
from tests.statements import recorded
from vestibule.accounts.throttle import FREE_FAILURES
from vestibule.core import clock
from vestibule.core.errors import Throttled
from vestibule.db import user_status
from vestibule.db.engine import Database
from vestibule.db.models.user import User
from vestibule.db.models.user_session import UserSession
from vestibule.http.login import log_in
from vestibule.mechanisms.auth import Auth
from vestibule.mechanisms.session_auth import SessionAuth
from vestibule.mechanisms.session_db_auth import SessionDBAuth
from vestibule.sessions.session import EndReason


@pytest.mark.parametrize("auth_type", [None, "auth", "basic_auth"])
def test_without_sessions_there_is_no_login(
    build: Build, auth_type: str | None
) -> None:
    """A 404 for login, and for logout of whoever passes the filter."""
    user = stored_user()
    house = build(auth_type)
    _, answer = house.log_in(user)
    assert (answer.status_code, answer.get_json()) == (404, NOT_FOUND)
    answer = house.client().delete(
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
def test_what_is_no_login(
    house: House, form: dict[str, str], status: int, text: str
) -> None:
    """Each reason has its answer, and none has a cookie."""
    stored_user(email="bob@example.com")
    answer = house.client().post(LOGIN, data=form)
    assert (answer.status_code, answer.get_json()) == (status, {"error": text})
    assert "Set-Cookie" not in answer.headers
    assert ("WWW-Authenticate" in answer.headers) is (status == 401)


def test_in_and_out(house: House) -> None:
    """A login opens a session, a logout ends it, and says why later."""
    user = stored_user()
    client, answer = house.log_in(user)
    assert answer.get_json() == user.to_json()
    session_id = session_id_of(client)
    assert client.get(ME).get_json() == user.to_json()
    answer = client.delete(LOGOUT)
    assert (answer.status_code, answer.get_json()) == (200, {})
    assert answer.headers["Clear-Site-Data"] == '"cache", "storage"'
    assert client.get_cookie("_my_session_id") is None
    holder = house.holder(session_id)
    for answer in (holder.get(ME), holder.delete(LOGOUT)):
        assert (answer.status_code, answer.get_json()) == (403, FORBIDDEN)
        assert answer.headers["Session-Ended"] == "reason=logged_out"


def test_why_is_only_for_who_has_the_secret(house: House) -> None:
    """Any other cookie, a handle or the digest too, learns nothing."""
    client = house.known(stored_user())
    handle = client.get("/api/v1/auth_session/sessions").get_json()[0]["id"]
    session_id = session_id_of(client)
    client.delete(LOGOUT)
    for guess in ("x", handle, session_id[:-1], session_id.upper() + "A"):
        answer = house.holder(guess).get(ME)
        assert answer.status_code == 403
        assert "Session-Ended" not in answer.headers
    answer = house.client().get(ME, headers={"Authorization": "Test"})
    assert "Session-Ended" not in answer.headers


def test_without_a_name_nobody_gets_in(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A login that would succeed answers 500 before any session is made."""
    user = stored_user()
    client = house.known(user)
    monkeypatch.delenv("SESSION_NAME")
    answer = house.log_in(user)[1]
    assert answer.status_code == 500
    assert answer.get_json() == {"error": "SESSION_NAME is not set"}
    assert len(house.mechanism.store.listed(user.id)) == 1
    assert client.get(ME).status_code == 401


def test_what_came_along_ends(house: House) -> None:
    """A session from before the login is worth nothing after it."""
    user, other = stored_user(), stored_user()
    client = house.known(user)
    planted = session_id_of(client)
    form = {"email": other.email, "password": PASSWORD}
    assert client.post(LOGIN, data=form).status_code == 200
    assert session_id_of(client) != planted
    answer = house.holder(planted).get(ME)
    assert answer.status_code == 403
    assert answer.headers["Session-Ended"] == "reason=replaced"
    assert client.get(ME).get_json()["id"] == other.id


def test_who_is_disabled_is_told_of_a_wrong_password(house: House) -> None:
    """The answer is that of a wrong password; sessions end with it."""
    user = stored_user()
    client = house.known(user)
    user_status.disable(user.id, clock.now(), EndReason.USER_DISABLED)
    answer = house.log_in(user)[1]
    assert answer.status_code == 401
    assert answer.get_json() == {"error": "wrong password"}
    answer = client.get(ME)
    assert answer.status_code == 403
    assert answer.headers["Session-Ended"] == "reason=user_disabled"


@pytest.mark.parametrize("what", ["password", "disabled", "removed"])
def test_a_login_that_is_overtaken_opens_nothing(
    house: House, monkeypatch: pytest.MonkeyPatch, what: str
) -> None:
    """What ends all sessions also ends the one that begins just then."""
    user = stored_user()
    kind = type(house.mechanism)
    create = kind.create_session
    made: list[str] = []

    def overtaken(self: SessionAuth, user_id: str) -> str:
        """Begin a session, right after the account was changed."""
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
    answer = house.log_in(user)[1]
    assert answer.status_code == 401
    assert answer.get_json() == {"error": "wrong password"}
    assert "Set-Cookie" not in answer.headers
    assert house.holder(made[0]).get(ME).status_code == 403
    assert not house.mechanism.store.listed(user.id)


def test_a_mechanism_of_ones_own_logs_in_and_out(
    build: Build, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One with the two methods and nothing else of ours has sessions."""
    house = build("session_auth")
    user = stored_user()

    class Own:
        """Sessions of another kind."""

        open_for: str | None = None

        def require_auth(self, path: str, excluded: list[str]) -> bool:
            """Guard nothing."""
            return False

        def create_session(self, user_id: str) -> str:
            """Begin the one session."""
            self.open_for = user_id
            return "one"

        def destroy_session(self, request: object) -> bool:
            """End the one session."""
            was, self.open_for = self.open_for, None
            return was is not None

    own = Own()
    monkeypatch.setattr("api.v1.app.auth", own)
    client, answer = house.log_in(user)
    assert answer.status_code == 200
    assert session_id_of(client) == "one"
    assert own.open_for == user.id
    assert client.delete(LOGOUT).status_code == 200
    answer = client.delete(LOGOUT)
    assert (answer.status_code, answer.get_json()) == (404, NOT_FOUND)


@pytest.mark.parametrize("base", [Auth, SessionAuth, SessionDBAuth])
def test_a_mechanism_that_only_begins_sessions(
    build: Build, monkeypatch: pytest.MonkeyPatch, base: type[Auth]
) -> None:
    """Somebody's own `create_session` is enough to log in."""
    house = build("session_auth")

    class Beginning(base):  # type: ignore[misc, valid-type]
        """A mechanism that keeps its sessions elsewhere."""

        def create_session(self, user_id: Any = None) -> str:
            """Say which session it is."""
            return f"of-{user_id}"

    user = stored_user()
    monkeypatch.setattr("api.v1.app.auth", Beginning())
    for client in (house.client(), house.holder("from-before")):
        form = {"email": user.email, "password": PASSWORD}
        answer = client.post(LOGIN, data=form)
        assert (answer.status_code, answer.get_json()) == (200, user.to_json())
        assert session_id_of(client) == f"of-{user.id}"


@pytest.mark.parametrize("made", [None, "", 7, b"bytes"])
def test_a_mechanism_that_makes_no_session(
    build: Build,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    made: Any,
) -> None:
    """Nobody is logged in; the log says which method is at fault."""
    house = build("session_auth")

    class Idle(SessionAuth):
        """A mechanism whose sessions have no id."""

        def create_session(self, user_id: Any = None) -> Any:
            """Return what is no session id."""
            return made

    monkeypatch.setattr("api.v1.app.auth", Idle())
    _, answer = house.log_in(stored_user())
    assert (answer.status_code, answer.get_json()) == (
        500,
        {"error": "Internal Server Error"},
    )
    assert "Set-Cookie" not in answer.headers
    assert "Idle.create_session returned no session id" in caplog.text
    assert "Traceback" not in caplog.text


def test_a_replaced_end_ends_what_came_along(
    build: Build, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who ends sessions in his own way is asked at a login too."""
    house = build("session_auth")
    ended = []

    class Ending(SessionAuth):
        """A mechanism whose sessions are elsewhere."""

        def destroy_session(self, request: Any = None) -> bool:
            """Note whose session is to end."""
            ended.append(self.session_cookie(request))
            return True

    monkeypatch.setattr("api.v1.app.auth", Ending())
    user = stored_user()
    form = {"email": user.email, "password": PASSWORD}
    assert house.holder("x").post(LOGIN, data=form).status_code == 200
    assert ended == ["x"]


def test_a_login_form_is_short(house: House) -> None:
    """What no honest form needs is refused before it is read."""
    form = {"email": "a@example.com", "password": "x" * 70_000}
    answer = house.client().post(LOGIN, data=form)
    assert answer.status_code == 413
    assert answer.get_json() == {"error": "Request Entity Too Large"}


def test_sessions_end_as_they_are_set_to(
    build: Build, moved_clock: SetClock
) -> None:
    """Used or not: idle, and then at its age, with the reason."""
    house = build(
        "session_db_auth", SESSION_IDLE_TIMEOUT="600", SESSION_MAX_AGE="1500"
    )
    user = stored_user()
    idle, used = house.known(user), house.known(user)
    for _ in range(3):
        moved_clock.advance(400)
        assert used.get(ME).status_code == 200
    answer = idle.get(ME)
    assert answer.headers["Session-Ended"] == "reason=idle_timeout"
    moved_clock.advance(301)
    answer = used.get(ME)
    assert answer.headers["Session-Ended"] == "reason=expired"


def test_no_secret_is_in_the_log(
    house: House, caplog: pytest.LogCaptureFixture
) -> None:
    """Neither of a login, nor of a logout, nor of a refusal."""
    with caplog.at_level(logging.DEBUG):
        user = stored_user()
        client = house.known(user)
        house.log_in(user, "a wrong password")
        session_id = session_id_of(client)
        client.delete(LOGOUT)
        house.holder(session_id).get(ME)
    for secret in (PASSWORD, "a wrong password", session_id):
        assert secret not in caplog.text


def _selects(
    monkeypatch: pytest.MonkeyPatch, work: Callable[[], object]
) -> list[str]:
    """Return the reads of `user_sessions` that `work` makes."""
    seen: list[str] = []
    fetch_one = Database.fetch_one

    def counted(self: Database, statement: Any, parameters: Any) -> Any:
        """Note a look-up that goes to the driver directly."""
        seen.append(str(statement))
        return fetch_one(self, statement, parameters)

    monkeypatch.setattr(Database, "fetch_one", counted)
    with recorded() as statements:
        work()
    seen += [statement.text for statement in statements]
    return [
        text
        for text in seen
        if text.startswith("SELECT") and "user_sessions" in text
    ]


@pytest.mark.parametrize("is_cached", [False, True])
def test_a_logout_reads_its_session_once(
    build: Build, monkeypatch: pytest.MonkeyPatch, is_cached: bool
) -> None:
    """Its authentication, its end and its log line share one SELECT."""
    house = build("session_db_auth")
    client = house.known(stored_user())
    if is_cached:
        assert client.get(ME).status_code == 200
    answers = []
    selects = _selects(
        monkeypatch, lambda: answers.append(client.delete(LOGOUT))
    )
    assert answers[0].status_code == 200
    # An event that is written meanwhile makes the cached session unsure.
    assert len(selects) in ((0, 1) if is_cached else (1,)), selects
    assert UserSession.all() == []


@pytest.fixture
def foreign_client(
    build: Build, monkeypatch: pytest.MonkeyPatch
) -> FlaskClient:
    """Return a client of a plain Flask application that uses `log_in`."""
    auth = build("session_db_auth", THROTTLE="on").mechanism
    app = Flask("foreign")

    @app.post("/login")
    def login() -> Any:
        """Log in by the one function for it."""
        email, password = request.form["email"], request.form["password"]
        found = User.search({"email": email})
        result = log_in(auth, request, found, email, password)
        if result is None:
            return "wrong", 401
        assert result.session_id not in repr(result)
        response = jsonify(result.user.to_json())
        result.set_cookie(response, request)
        return response

    @app.errorhandler(Throttled)
    def wait(_: Throttled) -> Any:
        """Answer that there were too many attempts."""
        return "wait", 429

    return app.test_client()


def test_log_in_serves_another_flask_application(
    foreign_client: FlaskClient,
) -> None:
    """It ends the previous session, notes the address, sets the cookie."""
    user = stored_user()
    form = {"email": user.email, "password": PASSWORD}
    ids = []
    for _ in range(2):
        assert foreign_client.post("/login", data=form).status_code == 200
        ids.append(session_id_of(foreign_client))
    (session,) = UserSession.all()
    assert UserSession.find(ids[0]) is None
    found = UserSession.find(ids[1])
    assert found is not None
    assert (found.id, found.ip, found.method) == (
        session.id,
        "127.0.0.1",
        "password",
    )


def test_log_in_refuses_a_cross_site_request(
    foreign_client: FlaskClient,
) -> None:
    """A form of another site begins no session, in any application."""
    form = {"email": stored_user().email, "password": PASSWORD}
    answer = foreign_client.post(
        "/login", data=form, headers={"Sec-Fetch-Site": "cross-site"}
    )
    assert answer.status_code == 403
    assert UserSession.all() == []


def test_log_in_throttles_by_the_address(
    moved_clock: SetClock, foreign_client: FlaskClient
) -> None:
    """Guesses are counted, though the application told no address."""
    form = {"email": stored_user().email, "password": "wrong"}
    statuses = [
        foreign_client.post("/login", data=form).status_code
        for _ in range(FREE_FAILURES + 2)
    ]
    assert statuses == [*([401] * (FREE_FAILURES + 1)), 429]
