#!/usr/bin/env python3
"""The recipe of docs/flask.md, attacked as the service is attacked."""

import re
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient

from tests.clocks import SetClock
from tests.serving import COOKIE, ROOT
from tests.stored_sessions import sessions_in
from vestibule.accounts.users import disable
from vestibule.audit import log
from vestibule.audit.log import AuditRecord
from vestibule.core.errors import ConfigurationError
from vestibule.db.models.user import User
from vestibule.flask import (
    Login,
    current_user,
    fresh_login_required,
    login_required,
    role_required,
)
from vestibule.mechanisms import MECHANISMS

PAGE = (ROOT / "docs" / "flask.md").read_text()
RECIPES = re.findall(r"^```python\n(.*?)^```$", PAGE, re.M | re.S)[:2]
PASSWORD = "correct horse battery"
EMAIL = "bob@example.com"
RIGHT = {"email": EMAIL, "password": PASSWORD}
WRONG = {"email": EMAIL, "password": "wrong"}
CROSS_SITE = [
    {"Sec-Fetch-Site": "cross-site"},
    {"Origin": "https://evil.example"},
    {"Origin": "null"},
    {"Sec-Fetch-Site": "same-site", "Origin": "http://other.localhost"},
]


@pytest.fixture
def set_clock(monkeypatch: pytest.MonkeyPatch) -> SetClock:
    """Stop the clock; the test moves it."""
    return SetClock().install(monkeypatch)


@pytest.fixture
def bob(monkeypatch: pytest.MonkeyPatch) -> User:
    """Create a user, and set what the recipe sets."""
    monkeypatch.setenv("AUTH_TYPE", "session_db_auth")
    monkeypatch.setenv("SESSION_NAME", COOKIE)
    user = User(email=EMAIL, first_name="Bob")
    user.password = PASSWORD
    user.save()
    return user


@pytest.fixture
def recipe(bob: User) -> dict[str, Any]:
    """Run the recipes of the page; return their names."""
    names: dict[str, Any] = {"__name__": "recipe"}
    for block in RECIPES:
        exec(compile(block, "docs/flask.md", "exec"), names)
    return names


@pytest.fixture
def client(recipe: dict[str, Any]) -> FlaskClient:
    """Return a client of the first recipe."""
    found: FlaskClient = recipe["app"].test_client()
    return found


@pytest.fixture
def browser(recipe: dict[str, Any]) -> FlaskClient:
    """Return a client of the second recipe, with a page of its own."""
    found: FlaskClient = recipe["site"].test_client()
    return found


def session_of(client: FlaskClient) -> str:
    """Return the session id of a client's cookie."""
    found = client.get_cookie(COOKIE)
    assert found is not None
    return found.value


@pytest.mark.parametrize("path", ["/auth/login", "/sign-in"])
def test_guesses_are_throttled(
    path: str, recipe: dict[str, Any], set_clock: SetClock
) -> None:
    """Sixty wrong passwords are not sixty tries, whatever is forwarded."""
    app = recipe["app" if path == "/auth/login" else "site"]
    statuses = []
    for number in range(60):
        response = app.test_client().post(
            path,
            data=WRONG,
            headers={"X-Forwarded-For": f"198.51.100.{number}"},
        )
        statuses.append(response.status_code)
        if response.status_code == 429:
            assert int(response.headers["Retry-After"]) > 0
    assert statuses.count(401) <= 10
    assert statuses[-1] == 429
    refused = app.test_client().post(path, data=RIGHT)
    assert refused.status_code == 429
    set_clock.advance(int(refused.headers["Retry-After"]))
    assert app.test_client().post(path, data=RIGHT).status_code in (200, 303)


def test_confirmation_of_password_is_throttled(client: FlaskClient) -> None:
    """A thief of the session cannot guess the password by it."""
    assert client.post("/auth/login", data=RIGHT).status_code == 200
    statuses = [
        client.post("/auth/refresh", data=WRONG).status_code for _ in range(30)
    ]
    assert statuses.count(401) <= 10
    assert statuses[-1] == 429


@pytest.mark.parametrize("headers", CROSS_SITE)
def test_cross_site_requests_are_refused(
    headers: dict[str, str], client: FlaskClient, browser: FlaskClient
) -> None:
    """Another site can neither log a user in nor out."""
    for path in ("/auth/login", "/auth/refresh"):
        client.post("/auth/login", data=RIGHT)
        before = session_of(client)
        response = client.post(path, data=RIGHT, headers=headers)
        assert response.status_code == 403
        assert session_of(client) == before
    for method in ("POST", "DELETE"):
        response = client.open("/auth/logout", method=method, headers=headers)
        assert response.status_code == 403
    assert client.get("/me").status_code == 200
    assert (
        browser.post("/sign-in", data=RIGHT, headers=headers).status_code
        == 403
    )
    browser.post("/sign-in", data=RIGHT)
    assert browser.post("/sign-out", headers=headers).status_code == 403
    assert browser.get("/inbox").status_code == 200


def test_planted_session_ends_with_login(client: FlaskClient) -> None:
    """An attacker who knows it is not signed in by it (session fixation)."""
    client.post("/auth/login", data=RIGHT)
    planted = session_of(client)
    client.post("/auth/login", data=RIGHT)
    assert session_of(client) != planted
    thief = client.application.test_client(use_cookies=False)
    sent = {"Cookie": f"{COOKIE}={planted}"}
    assert thief.get("/me", headers=sent).status_code == 401


def test_session_stops_with_logout(client: FlaskClient) -> None:
    """A copy of the cookie is of no use afterwards."""
    client.post("/auth/login", data=RIGHT)
    sent = {"Cookie": f"{COOKIE}={session_of(client)}"}
    assert client.post("/auth/logout").json == {}
    assert client.get_cookie(COOKIE) is None
    thief = client.application.test_client(use_cookies=False)
    assert thief.get("/me", headers=sent).status_code == 401
    assert thief.post("/auth/logout", headers=sent).status_code == 401


def test_confirmation_renews_session(client: FlaskClient) -> None:
    """The old id, which may have been stolen, stops working."""
    client.post("/auth/login", data=RIGHT)
    old = session_of(client)
    assert client.post("/auth/refresh", data=RIGHT).status_code == 200
    assert session_of(client) != old
    assert client.get("/me").status_code == 200
    thief = client.application.test_client(use_cookies=False)
    sent = {"Cookie": f"{COOKIE}={old}"}
    assert thief.get("/me", headers=sent).status_code == 401
    assert thief.post("/auth/refresh", data=RIGHT).status_code == 401


def test_unknown_email_is_answered_like_wrong_password(
    client: FlaskClient,
) -> None:
    """The answer does not reveal which emails have an account."""
    unknown = {"email": "eve@example.com", "password": "wrong"}
    first = client.post("/auth/login", data=WRONG)
    second = client.post("/auth/login", data=unknown)
    assert first.status_code == second.status_code == 401
    assert first.data == second.data


@pytest.mark.parametrize(
    "body",
    [
        {"data": {}},
        {"data": {"email": EMAIL}},
        {"json": []},
        {"json": {"email": EMAIL, "password": ["x"]}},
        {"json": {"email": {"a": 1}, "password": "x"}},
        {"data": b"{", "content_type": "application/json"},
        {"data": b"\xff", "content_type": "application/json"},
        {"data": "x", "content_type": "text/plain"},
    ],
)
def test_invalid_body_is_refused(body: Any, client: FlaskClient) -> None:
    """Wrong types are no internal error."""
    assert client.post("/auth/login", **body).status_code == 400


def test_long_body_is_refused(client: FlaskClient) -> None:
    """It is not read into memory."""
    form = {**RIGHT, "password": "x" * 100_000}
    assert client.post("/auth/login", data=form).status_code == 413


@pytest.mark.parametrize(
    "back", ["//evil.example/", "https://evil.example/", "/\\evil.example"]
)
def test_sign_in_page_is_no_open_redirect(
    back: str, browser: FlaskClient
) -> None:
    """An address elsewhere is not followed."""
    response = browser.post("/sign-in", data={**RIGHT, "return_to": back})
    assert response.location == "/inbox"


def test_events_have_address_and_device(
    client: FlaskClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each event of a login names the client."""
    told: list[AuditRecord] = []
    monkeypatch.setattr(log, "_listener", told.append)
    agent = "Mozilla/5.0 (X11; Linux x86_64) Firefox/140.0"
    how: Any = {
        "environ_base": {"REMOTE_ADDR": "192.0.2.7"},
        "headers": {"User-Agent": agent},
    }
    client.post("/auth/login", data=WRONG, **how)
    client.post("/auth/login", data=RIGHT, **how)
    client.post("/auth/refresh", data=RIGHT, **how)
    client.post("/auth/logout", **how)
    assert [str(record.event) for record in told] == [
        "login_failed",
        "login",
        "reauthenticated",
        "logout",
    ]
    for record in told:
        assert record.request is not None
        assert record.request.client_address == "192.0.2.7"
        assert record.request.client_program == agent
    assert PASSWORD not in str(told)


def test_session_of_disabled_user_is_refused(
    client: FlaskClient, bob: User
) -> None:
    """It is refused at the next request."""
    client.post("/auth/login", data=RIGHT)
    disable(bob)
    assert client.get("/me").status_code == 401
    assert client.post("/auth/login", data=RIGHT).status_code == 401


def protected(name: str) -> Flask:
    """Return an application with a mechanism and one view of each kind."""
    app = Flask(name)
    login = Login(app, MECHANISMS[name]())
    app.add_url_rule("/docs", "me", login_required(lambda: current_user.id))
    admin = role_required("admin")(lambda: "admin")
    app.add_url_rule("/admin", "admin", admin, methods=["GET", "POST"])
    fresh = fresh_login_required(lambda: "fresh")
    app.add_url_rule("/fresh", "fresh", fresh, methods=["GET", "POST"])
    assert login.auth is not None
    return app


@pytest.mark.parametrize("name", MECHANISMS)
def test_each_mechanism_authenticates(
    name: str, bob: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also at a path that the service leaves open."""
    monkeypatch.setenv("SESSION_DURATION", "60")
    client = protected(name).test_client()
    assert client.get("/docs").status_code == 401
    answered = client.post("/auth/login", data=RIGHT).status_code
    basic: Any = {"auth": (EMAIL, PASSWORD)}
    if name == "auth":
        assert answered == 404
        assert client.get("/docs", **basic).status_code == 401
    elif name == "basic_auth":
        assert answered == 404
        assert client.get("/docs", **basic).text == bob.id
        assert client.get("/docs", auth=(EMAIL, "no")).status_code == 401
        challenge = client.get("/docs").headers["WWW-Authenticate"]
        assert challenge.startswith("Basic ")
    else:
        assert answered == 200
        assert client.get("/docs").text == bob.id
        assert client.get("/admin").status_code == 403
        bob.role = "admin"
        bob.save()
        assert client.get("/admin").status_code == 200
        cross = {"Origin": "https://evil.example"}
        assert client.post("/admin", headers=cross).status_code == 403
        assert client.post("/admin").status_code == 200


def test_basic_guesses_are_throttled(bob: User) -> None:
    """The header is no way around the throttle."""
    client = protected("basic_auth").test_client()
    statuses = [
        client.get("/docs", auth=(EMAIL, "wrong")).status_code
        for _ in range(30)
    ]
    assert statuses.count(401) <= 10
    assert statuses[-1] == 429
    assert client.get("/docs", auth=(EMAIL, PASSWORD)).status_code == 429


def test_recent_password_is_required(bob: User, set_clock: SetClock) -> None:
    """It is confirmed by the route, which renews the session."""
    client = protected("session_db_auth").test_client()
    client.post("/auth/login", data=RIGHT)
    assert client.get("/fresh").status_code == 200
    set_clock.advance(7200)
    response = client.get("/fresh")
    assert response.status_code == 403
    assert response.json == {"error": "Re-authentication required"}
    client.post("/auth/refresh", data=RIGHT)
    assert client.get("/fresh").text == "fresh"


def test_client_is_not_that_of_request_before(
    client: FlaskClient, bob: User
) -> None:
    """Threads are reused; a session records its own client."""
    for number in (1, 2):
        client.application.test_client().post(
            "/auth/login",
            data=RIGHT,
            environ_base={"REMOTE_ADDR": f"192.0.2.{number}"},
        )
    store = client.application.extensions["vestibule-login"].auth.store
    found = {session.ip for session in sessions_in(store, bob.id)}
    assert found == {"192.0.2.1", "192.0.2.2"}


def test_guesses_at_once_are_throttled(recipe: dict[str, Any]) -> None:
    """Many at the same moment are not more tries."""

    def guess(_: int) -> int:
        """Return the status of one guess."""
        response = recipe["app"].test_client().post("/auth/login", data=WRONG)
        return int(response.status_code)

    with ThreadPoolExecutor(8) as threads:
        statuses = [*threads.map(guess, range(40))]
    assert set(statuses) <= {401, 429, 503}
    assert statuses.count(401) <= 10


@pytest.mark.parametrize("name", ["AUTH_TYPE", "SESSION_NAME"])
def test_missing_setting_is_refused_at_start(
    name: str, bob: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The application would be closed for every user."""
    monkeypatch.delenv(name)
    with pytest.raises(ConfigurationError, match=name):
        Login(Flask("closed"))


def test_role_that_no_user_has_is_refused() -> None:
    """A typing error is found when the view is made."""
    for role in ("editor", "Admin"):
        with pytest.raises(ValueError, match=role):
            role_required(role)
