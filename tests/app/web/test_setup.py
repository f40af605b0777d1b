#!/usr/bin/env python3
"""The setup page: a code creates the first admin, once."""

from functools import partial
from html import escape

import pytest
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from tests.app.api.conftest import Build
from tests.app.api.service import Service, stored_user
from tests.clocks import SetClock
from tests.serving import (
    ME,
)
from vestibule.accounts.users import create_setup_code
from vestibule.db.models.user import Role, User

EMAIL = "ada@example.com"
GOOD = "violet umbrella"
AS_A_BROWSER = {"Accept": "text/html,*/*;q=0.8"}
#: A code that was never issued.
WRONG = "AAAA-AAAA-AAAA-AAAA"


@pytest.fixture
def service(build: Build, monkeypatch: pytest.MonkeyPatch) -> Service:
    """Return an application with pages and no user."""
    monkeypatch.setenv("THROTTLE", "off")
    return build("session_db_auth", WEB_PAGES="on")


@pytest.fixture
def code() -> str:
    """Return the setup code that the start printed."""
    offer = create_setup_code()
    assert offer is not None
    return offer.code


def get(client: FlaskClient, path: str = "/setup") -> TestResponse:
    """Load the setup page."""
    return client.get(path, headers=AS_A_BROWSER)


def send(
    client: FlaskClient,
    code: str = WRONG,
    email: str = EMAIL,
    password: str = GOOD,
    **headers: str,
) -> TestResponse:
    """Send the setup form."""
    return client.post(
        "/setup",
        data={"code": code, "email": email, "password": password},
        headers=AS_A_BROWSER | headers,
    )


def test_setup_form_is_shown_while_code_is_valid(
    service: Service, code: str
) -> None:
    """It asks for the code, an email and a password."""
    shown = get(service.client())
    assert shown.status_code == 200
    for name in ("code", "email", "password"):
        assert f'name="{name}"' in shown.text
    assert code not in shown.text


@pytest.mark.parametrize("path", ["/", "/sign-in", "/register"])
def test_other_pages_redirect_to_setup(
    service: Service, monkeypatch: pytest.MonkeyPatch, path: str
) -> None:
    """No user could sign in before the first admin exists."""
    monkeypatch.setenv("REGISTRATION", "open")
    shown = get(service.client(), path)
    assert (shown.status_code, shown.location) == (303, "/setup")
    stored_user()
    assert get(service.client(), path).location != "/setup"


def test_setup_without_code_says_how_to_get_one(
    service: Service, set_clock: SetClock
) -> None:
    """It holds for an expired code too."""
    for _ in range(2):
        shown = get(service.client())
        assert shown.status_code == 200
        assert 'name="code"' not in shown.text
        assert "Restart the server" in shown.text
        create_setup_code()
        assert 'name="code"' in get(service.client()).text
        set_clock.advance(1800)


def test_setup_code_creates_admin_and_signs_in(
    service: Service, code: str
) -> None:
    """The browser is signed in as that admin."""
    client = service.client()
    sent = send(client, code)
    assert (sent.status_code, sent.location) == (303, "/account/welcome")
    (admin,) = User.all()
    assert (admin.email, admin.role) == (EMAIL, Role.ADMIN)
    assert admin.is_valid_password(GOOD)
    me = client.get(ME).get_json()
    assert (me["id"], me["email"]) == (admin.id, EMAIL)


def test_setup_is_closed_once_a_user_exists(
    service: Service, code: str
) -> None:
    """A form that is sent twice creates one admin; others may sign in."""
    client = service.client()
    assert send(client, code).status_code == 303
    for again in (send(client, code), get(client)):
        assert (again.status_code, again.location) == (303, "/account")
    stranger = service.client()
    for request in (partial(send, stranger, code), partial(get, stranger)):
        late = request()
        assert (late.status_code, late.location) == (303, "/sign-in")
        assert "The setup is already done" in get(stranger, "/sign-in").text
    assert User.count() == 1


def test_missing_setup_field_is_marked(service: Service, code: str) -> None:
    """No guess is counted for it."""
    for given in (
        {},
        {"code": code},
        {"code": code, "email": EMAIL},
        {"email": EMAIL, "password": GOOD},
    ):
        sent = service.client().post(
            "/setup", data=given, headers=AS_A_BROWSER
        )
        assert sent.status_code == 400
        for name in ("code", "email", "password"):
            assert (f'id="{name}-error"' in sent.text) is (name not in given)
    assert User.count() == 0


def test_wrong_setup_code_is_refused(service: Service, code: str) -> None:
    """The form keeps what was typed, except the password."""
    sent = send(service.client())
    assert sent.status_code == 400
    assert "This code is wrong or has expired." in sent.text
    assert WRONG in sent.text
    assert EMAIL in sent.text
    assert GOOD not in sent.text
    assert User.count() == 0


@pytest.mark.parametrize(
    ("field", "given"),
    [
        ("email", {"email": "bob"}),
        ("email", {"email": "a\0b@example.com"}),
        ("password", {"password": "short"}),
        ("password", {"password": "password1234"}),
    ],
)
def test_invalid_setup_value_is_refused_at_its_field(
    service: Service, code: str, field: str, given: dict[str, str]
) -> None:
    """The code stays valid."""
    sent = send(service.client(), code, **given)
    assert sent.status_code == 400
    assert f'id="{field}-error"' in sent.text
    assert send(service.client(), code).status_code == 303


@pytest.mark.parametrize(
    "text",
    [
        "<script>alert(1)</script>",
        '"><img src=x onerror=alert(1)>',
        "\u202egnp.exe",
        "x" * 10_000,
        "\0",
        "{{ 7*7 }}",
        "%s%n",
    ],
)
def test_setup_form_escapes_what_was_typed(
    service: Service, code: str, text: str
) -> None:
    """Markup is shown as text."""
    sent = send(service.client(), text, text, text)
    assert sent.status_code == 400
    if "<" in text:
        assert text not in sent.text
        assert escape(text).replace("&quot;", "&#34;") in sent.text
    assert User.count() == 0


def test_oversized_setup_form_is_refused(service: Service, code: str) -> None:
    """No email has a hundred thousand characters."""
    assert send(service.client(), code, "x" * 100_000).status_code == 413


def test_cross_site_setup_is_refused(service: Service, code: str) -> None:
    """It is refused even with the right code."""
    for headers in (
        {"Sec-Fetch-Site": "cross-site"},
        {"Origin": "https://evil.example"},
    ):
        sent = send(service.client(), code, **headers)
        assert sent.status_code == 403
        assert "<h1>" in sent.text
    assert User.count() == 0


def test_setup_code_guesses_are_throttled(
    service: Service,
    code: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The page shows the wait; the right code has to wait too."""
    monkeypatch.setenv("THROTTLE", "on")
    client = service.client()
    for _ in range(9):
        sent = send(client)
    assert sent.status_code == 429
    wait = sent.headers["Retry-After"]
    assert f"{wait} second" in sent.text
    assert 'name="code"' in sent.text
    assert send(client, code).status_code == 429
    assert User.count() == 0
