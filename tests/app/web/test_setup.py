#!/usr/bin/env python3
"""The page of the first run: a code makes the first admin, once."""

from functools import partial
from html import escape

import pytest
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from tests.app.api.conftest import Build
from tests.app.api.house import ME, House, stored_user
from tests.clocks import SetClock
from vestibule.accounts.first_admin import create_setup_code
from vestibule.db.models.user import Role, User

EMAIL = "ada@example.com"
GOOD = "violet umbrella"
AS_A_BROWSER = {"Accept": "text/html,*/*;q=0.8"}
#: What nobody's code is.
WRONG = "AAAA-AAAA-AAAA-AAAA"


@pytest.fixture
def house(build: Build, monkeypatch: pytest.MonkeyPatch) -> House:
    """Return an application with pages, and nobody in it."""
    monkeypatch.setenv("THROTTLE", "off")
    return build("session_db_auth", WEB_PAGES="on")


@pytest.fixture
def code() -> str:
    """Return the code that a start printed."""
    offer = create_setup_code()
    assert offer is not None
    return offer.code


def get(client: FlaskClient, path: str = "/setup") -> TestResponse:
    """Ask for a page as a browser does."""
    return client.get(path, headers=AS_A_BROWSER)


def send(
    client: FlaskClient,
    code: str = WRONG,
    email: str = EMAIL,
    password: str = GOOD,
    **headers: str,
) -> TestResponse:
    """Send the form as a browser does."""
    return client.post(
        "/setup",
        data={"code": code, "email": email, "password": password},
        headers=AS_A_BROWSER | headers,
    )


def test_the_form_is_shown_while_a_code_waits(house: House, code: str) -> None:
    """It asks for the code, an email and a password."""
    shown = get(house.client())
    assert shown.status_code == 200
    for name in ("code", "email", "password"):
        assert f'name="{name}"' in shown.text
    assert code not in shown.text


@pytest.mark.parametrize("path", ["/", "/sign-in", "/register"])
def test_other_doors_lead_here(
    house: House, monkeypatch: pytest.MonkeyPatch, path: str
) -> None:
    """Nobody could sign in; nobody should come before the first admin."""
    monkeypatch.setenv("REGISTRATION", "open")
    shown = get(house.client(), path)
    assert (shown.status_code, shown.location) == (303, "/setup")
    stored_user()
    assert get(house.client(), path).location != "/setup"


def test_without_a_code_it_says_how_to_get_one(
    house: House, moved_clock: SetClock
) -> None:
    """Also when the last one grew old."""
    for _ in range(2):
        shown = get(house.client())
        assert shown.status_code == 200
        assert 'name="code"' not in shown.text
        assert "Restart the server" in shown.text
        create_setup_code()
        assert 'name="code"' in get(house.client()).text
        moved_clock.advance(1800)


def test_a_code_makes_the_admin_and_signs_in(house: House, code: str) -> None:
    """The browser is that admin's from then on."""
    client = house.client()
    sent = send(client, code)
    assert (sent.status_code, sent.location) == (303, "/account")
    (admin,) = User.all()
    assert (admin.email, admin.role) == (EMAIL, Role.ADMIN)
    assert admin.is_valid_password(GOOD)
    me = client.get(ME).get_json()
    assert (me["id"], me["email"]) == (admin.id, EMAIL)


def test_it_is_gone_once_there_is_a_user(house: House, code: str) -> None:
    """The form that is sent twice makes one admin; others may sign in."""
    client = house.client()
    assert send(client, code).status_code == 303
    for again in (send(client, code), get(client)):
        assert (again.status_code, again.location) == (303, "/")
    stranger = house.client()
    for ask in (partial(send, stranger, code), partial(get, stranger)):
        late = ask()
        assert (late.status_code, late.location) == (303, "/sign-in")
        assert "The setup is already done" in get(stranger, "/sign-in").text
    assert User.count() == 1


def test_what_is_missing_is_asked_for(house: House, code: str) -> None:
    """Field by field, and before a guess is counted."""
    for given in (
        {},
        {"code": code},
        {"code": code, "email": EMAIL},
        {"email": EMAIL, "password": GOOD},
    ):
        sent = house.client().post("/setup", data=given, headers=AS_A_BROWSER)
        assert sent.status_code == 400
        for name in ("code", "email", "password"):
            assert (f'id="{name}-error"' in sent.text) is (name not in given)
    assert User.count() == 0


def test_a_wrong_code_is_told(house: House, code: str) -> None:
    """What was typed stays but for the password."""
    sent = send(house.client())
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
def test_what_cannot_be_taken_is_told(
    house: House, code: str, field: str, given: dict[str, str]
) -> None:
    """At its field; the code is good for another try."""
    sent = send(house.client(), code, **given)
    assert sent.status_code == 400
    assert f'id="{field}-error"' in sent.text
    assert send(house.client(), code).status_code == 303


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
def test_whatever_is_typed_is_text(house: House, code: str, text: str) -> None:
    """Markup is shown as it was typed, and nothing breaks."""
    sent = send(house.client(), text, text, text)
    assert sent.status_code == 400
    if "<" in text:
        assert text not in sent.text
        assert escape(text).replace("&quot;", "&#34;") in sent.text
    assert User.count() == 0


def test_too_large_a_form_is_refused(house: House, code: str) -> None:
    """Nobody's email has a hundred thousand characters."""
    assert send(house.client(), code, "x" * 100_000).status_code == 413


def test_another_site_cannot_send_the_form(house: House, code: str) -> None:
    """Even if it knew the code."""
    for headers in (
        {"Sec-Fetch-Site": "cross-site"},
        {"Origin": "https://evil.example"},
    ):
        sent = send(house.client(), code, **headers)
        assert sent.status_code == 403
        assert "<h1>" in sent.text
    assert User.count() == 0


def test_guesses_are_throttled(
    house: House,
    code: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The page says for how long, and the right code has to wait too."""
    monkeypatch.setenv("THROTTLE", "on")
    client = house.client()
    for _ in range(9):
        sent = send(client)
    assert sent.status_code == 429
    wait = sent.headers["Retry-After"]
    assert f"{wait} second" in sent.text
    assert 'name="code"' in sent.text
    assert send(client, code).status_code == 429
    assert User.count() == 0
