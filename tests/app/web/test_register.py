#!/usr/bin/env python3
"""Registration, and the reset of a forgotten password."""

from collections.abc import Callable
from typing import Any

import pytest

from tests.app.api.conftest import Build
from tests.app.api.service import NEW, PASSWORD, Service, stored_user
from tests.app.web.browser import Browser, Page
from tests.clocks import SetClock
from vestibule.accounts.recovery import RESET_CODE_LIFETIME, issue_code
from vestibule.db.models.user import User
from vestibule.db.models.user_session import UserSession

HOSTILE = [
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "{{7*7}}",
    "‮gnp.exe",
    "%(name)s %s {0}",
    "é" * 200,
    "'--",
]


@pytest.fixture
def service(build: Build) -> Service:
    """Return a service with open registration."""
    stored_user("admin", "admin@example.com")
    return build(
        "session_db_auth",
        WEB_PAGES="on",
        REGISTRATION="open",
        AUTHZ_POLICY="self",
    )


def form(**more: str) -> dict[str, str]:
    """Return the registration form of a new user."""
    return {"email": "ada@example.com", "password": NEW, **more}


def has_new_password(user: User) -> bool:
    """Return True if the stored password of a user is the new one."""
    stored = User.get(user.id)
    return stored is not None and stored.is_valid_password(NEW)


def reset_form(**more: str) -> dict[str, str]:
    """Return the form of a user who forgot the password."""
    return {"email": "ada@example.com", "new_password": NEW, **more}


def test_registration_is_closed_by_default(build: Build) -> None:
    """There is no page, no form and no link."""
    stored_user()
    browser = Browser(build("session_db_auth", WEB_PAGES="on"))
    assert browser.get("/register").status_code == 404
    assert browser.post("/register", form()).status_code == 404
    assert "/register" not in browser.get("/sign-in").text
    assert User.count() == 1


def test_registration_without_users_redirects_to_setup(build: Build) -> None:
    """The first account has to be an admin."""
    service = build(
        "session_db_auth",
        WEB_PAGES="on",
        REGISTRATION="open",
        AUTHZ_POLICY="self",
    )
    browser = Browser(service)
    for answer in (
        browser.get("/register"),
        browser.get("/sign-in"),
        browser.post("/register", form()),
    ):
        assert answer.headers["Location"] == "/setup"
    assert User.count() == 0


def test_registered_user_is_signed_in_as_member(
    service: Service, logged: Callable[[], list[dict[str, Any]]]
) -> None:
    """Its owner is signed in, as a member."""
    browser = Browser(service)
    assert 'href="/register"' in browser.get("/sign-in").text
    fields = Page(browser.get("/register")).fields()
    assert fields["password"]["autocomplete"] == "new-password"
    answer = browser.post("/register", form(first_name="Ada"))
    assert answer.headers["Location"] == "/account"
    shown = browser.client.get("/api/v1/users/me").get_json()
    assert (shown["email"], shown["first_name"], shown["last_name"]) == (
        "ada@example.com",
        "Ada",
        None,
    )
    assert User.search({"email": "ada@example.com"})[0].role == "member"
    events = [line["event"] for line in logged()]
    assert events == ["user_added", "login"]
    assert browser.get("/register").headers["Location"] == "/account"


@pytest.mark.parametrize(
    ("more", "field", "words"),
    [
        ({"email": ""}, "email", "Please fill this in."),
        ({"email": "ada"}, "email", "This is not an email address."),
        ({"email": "ADMIN@example.com "}, "email", "already has an account"),
        ({"password": ""}, "password", "Please fill this in."),
        ({"password": "x"}, "password", "Please use at least 8 characters."),
        ({"password": "\u0301" * 2049}, "password", "This is too long."),
        ({"first_name": "\0"}, "first_name", "a character that isn't allowed"),
    ],
)
def test_invalid_registration_is_refused_at_its_field(
    service: Service, more: dict[str, str], field: str, words: str
) -> None:
    """The form keeps what was typed, except the password."""
    answer = Browser(service).post("/register", form(**more))
    assert answer.status_code == 400
    page = Page(answer)
    assert words in page.text
    fields = page.fields()
    assert [n for n, f in fields.items() if "aria-invalid" in f] == [field]
    assert fields["email"]["value"] == form(**more)["email"]
    assert "value" not in fields["password"]
    assert NEW not in answer.text
    assert User.count() == 1


@pytest.mark.parametrize("name", HOSTILE)
def test_registered_name_is_escaped(service: Service, name: str) -> None:
    """It holds on the form and on the account page."""
    browser = Browser(service)
    typed = form(email="x", first_name=name, last_name=name)
    page = Page(browser.post("/register", typed))
    assert page.fields()["first_name"]["value"] == name
    assert page.fields()["first_name"]["dir"] == "auto"
    assert not {"img", "script"} & {
        tag
        for tag, given in page.elements
        if not str(given.get("src", "")).startswith("/vestibule/assets/")
    }
    made = browser.post("/register", form(first_name=name))
    assert made.status_code == 303
    answer = browser.get("/sign-in")
    assert f"As {name}." in Page(answer).text
    assert "<bdi>" in answer.text


def test_repeated_registration_of_taken_email_is_throttled(
    build: Build, set_clock: SetClock
) -> None:
    """The response reveals the account, so lists of emails are slowed down."""
    stored_user("admin")
    service = build(
        "session_db_auth",
        WEB_PAGES="on",
        REGISTRATION="open",
        AUTHZ_POLICY="self",
        THROTTLE="on",
    )
    for number in range(21):
        stored_user(email=f"{number}@example.com")
    browser = Browser(service)
    seen = [
        browser.post(
            "/register", form(email=f"{number}@example.com")
        ).status_code
        for number in range(21)
    ]
    assert seen == [400] * 21
    answer = browser.post("/register", form())
    assert answer.status_code == 429
    assert int(answer.headers["Retry-After"]) > 0
    assert "You can try again in" in Page(answer).text
    set_clock.advance(60)
    assert browser.post("/register", form()).status_code == 303


def test_password_reset_by_code_works_once(service: Service) -> None:
    """All sessions end; the user is signed in with a new one."""
    user = stored_user(email="ada@example.com")
    elsewhere = Browser(service)
    elsewhere.post("/sign-in", {"email": user.email, "password": PASSWORD})
    browser = Browser(service)
    code = issue_code(user).code.lower().replace("-", " ")
    answer = browser.post("/reset", reset_form(code=code))
    assert answer.headers["Location"] == "/account"
    next_page = browser.follow(answer)
    assert "Your password is set. You are signed in." in next_page.text
    assert "Your password is set." not in browser.get("/account").text
    assert UserSession.count() == 1
    assert "was reset" in elsewhere.get("/sign-in").text
    assert has_new_password(user)
    again = browser.post("/reset", reset_form(code=code))
    assert again.status_code == 400


def test_password_reset_ends_sessions_in_memory(build: Build) -> None:
    """It holds with each mechanism that has sessions."""
    user = stored_user(email="ada@example.com")
    browser = Browser(build("session_auth", WEB_PAGES="on"))
    browser.post("/sign-in", {"email": user.email, "password": PASSWORD})
    assert browser.client.get("/api/v1/users/me").status_code == 200
    answer = Browser(build("session_auth", WEB_PAGES="on")).post(
        "/reset", reset_form(code=issue_code(user).code)
    )
    assert answer.status_code == 303
    assert browser.client.get("/api/v1/users/me").status_code == 403


@pytest.mark.parametrize("path", ["/register", "/reset"])
def test_oversized_registration_form_is_refused(
    service: Service, path: str
) -> None:
    """It is refused before it is read."""
    answer = Browser(service).post(path, form(first_name="x" * 100_000))
    assert answer.status_code == 413


def test_wrong_email_and_wrong_code_get_same_message(
    service: Service, set_clock: SetClock
) -> None:
    """An expired code gets it too."""
    user = stored_user(email="ada@example.com")
    code = issue_code(user).code
    set_clock.advance(RESET_CODE_LIFETIME.total_seconds() + 1)
    texts = set()
    for more in (
        {"code": code},
        {"code": "wrong"},
        {"code": "\0"},
        {"code": code, "email": "unknown@example.com"},
    ):
        answer = Browser(service).post("/reset", reset_form(**more))
        assert answer.status_code == 400
        page = Page(answer)
        assert page.fields()["code"]["value"] == more["code"]
        texts.add(page.text)
    assert len(texts) == 1
    assert "does not match this email" in texts.pop()


@pytest.mark.parametrize(
    ("more", "words"),
    [
        ({"new_password": "short"}, "Please use at least 8 characters."),
        ({"new_password": "password123"}, "This"),
        ({"new_password": ""}, "Please fill this in."),
        ({"code": ""}, "Please fill this in."),
    ],
)
def test_refused_password_leaves_reset_code_valid(
    service: Service, more: dict[str, str], words: str
) -> None:
    """The code works once more, with a better password."""
    user = stored_user(email="ada@example.com")
    code = issue_code(user).code
    browser = Browser(service)
    answer = browser.post("/reset", reset_form(**{"code": code, **more}))
    assert answer.status_code == 400
    assert words in Page(answer).text
    assert browser.post("/reset", reset_form(code=code)).status_code == 303


def test_reset_code_guesses_are_throttled(
    build: Build, set_clock: SetClock
) -> None:
    """The page says how long to wait."""
    stored_user(email="ada@example.com")
    browser = Browser(build("session_db_auth", WEB_PAGES="on", THROTTLE="on"))
    for _ in range(5):
        answer = browser.post("/reset", reset_form(code="wrong"))
    assert answer.status_code == 429
    assert answer.headers["Retry-After"] == "1"
    assert "You can try again in 1 second." in Page(answer).text


@pytest.mark.parametrize("path", ["/register", "/reset"])
def test_cross_site_registration_is_refused(
    service: Service, path: str
) -> None:
    """The form is refused before it is read."""
    user = stored_user(email="bob@example.com")
    typed = form() | reset_form(
        email="bob@example.com", code=issue_code(user).code
    )
    answer = Browser(service, **{"Sec-Fetch-Site": "cross-site"}).post(
        path, typed
    )
    assert answer.status_code == 403
    assert "This is not allowed" in Page(answer).text
    assert User.count() == 2
    assert not has_new_password(user)
