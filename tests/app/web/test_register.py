#!/usr/bin/env python3
"""Making an account for oneself, and the reset of a forgotten password."""

from collections.abc import Callable
from typing import Any

import pytest

from tests.app.api.conftest import Build
from tests.app.api.house import NEW, PASSWORD, House, stored_user
from tests.app.web.visitor import Page, Visitor
from tests.clocks import SetClock
from vestibule.accounts.password_reset import RESET_CODE_LIFETIME, issue_code
from vestibule.db.models.user import User
from vestibule.db.models.user_session import UserSession

HOSTILE = [
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "{{7*7}}",
    "‮gnp.exe",
    "%(name)s %s {0}",
    "é" * 5_000,
    "'--",
]


@pytest.fixture
def house(build: Build) -> House:
    """Return a house where everybody may make an account."""
    stored_user("admin", "admin@example.com")
    return build("session_db_auth", WEB_PAGES="on", REGISTRATION="open")


def form(**more: str) -> dict[str, str]:
    """Return what somebody new types."""
    return {"email": "ada@example.com", "password": NEW, **more}


def has_new_password(user: User) -> bool:
    """Tell whether the stored password of a user is the new one."""
    stored = User.get(user.id)
    return stored is not None and stored.is_valid_password(NEW)


def reset_form(**more: str) -> dict[str, str]:
    """Return what somebody types who forgot the password."""
    return {"email": "ada@example.com", "new_password": NEW, **more}


def test_it_is_closed_by_default(build: Build) -> None:
    """Neither the page nor the form is there, nor a link to it."""
    stored_user()
    visitor = Visitor(build("session_db_auth", WEB_PAGES="on"))
    assert visitor.get("/register").status_code == 404
    assert visitor.post("/register", form()).status_code == 404
    assert "/register" not in visitor.get("/sign-in").text
    assert User.count() == 1


def test_who_comes_first_is_not_a_member(build: Build) -> None:
    """As long as nobody is there, it leads to where an admin is made."""
    house = build("session_db_auth", WEB_PAGES="on", REGISTRATION="open")
    visitor = Visitor(house)
    for answer in (
        visitor.get("/register"),
        visitor.get("/sign-in"),
        visitor.post("/register", form()),
    ):
        assert answer.headers["Location"] == "/setup"
    assert User.count() == 0


def test_an_account_is_made(
    house: House, logged: Callable[[], list[dict[str, Any]]]
) -> None:
    """Its owner is signed in, as a member."""
    visitor = Visitor(house)
    assert 'href="/register"' in visitor.get("/sign-in").text
    fields = Page(visitor.get("/register")).fields()
    assert fields["password"]["autocomplete"] == "new-password"
    answer = visitor.post("/register", form(first_name="Ada"))
    assert answer.headers["Location"] == "/account"
    shown = visitor.client.get("/api/v1/users/me").get_json()
    assert (shown["email"], shown["first_name"], shown["last_name"]) == (
        "ada@example.com",
        "Ada",
        None,
    )
    assert User.search({"email": "ada@example.com"})[0].role == "member"
    events = [line["event"] for line in logged()]
    assert events == ["user_added", "login"]
    assert visitor.get("/register").headers["Location"] == "/account"


@pytest.mark.parametrize(
    ("more", "field", "words"),
    [
        ({"email": ""}, "email", "Please fill this in."),
        ({"email": "ada"}, "email", "This is not an email address."),
        ({"email": "ADMIN@example.com "}, "email", "already has an account"),
        ({"password": ""}, "password", "Please fill this in."),
        ({"password": "x"}, "password", "Please use at least 8 characters."),
        ({"first_name": "\0"}, "first_name", "invalid character"),
    ],
)
def test_what_cannot_be_taken(
    house: House, more: dict[str, str], field: str, words: str
) -> None:
    """The field says why; what was typed stays, but for the password."""
    answer = Visitor(house).post("/register", form(**more))
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
def test_names_are_shown_as_text(house: House, name: str) -> None:
    """On the form that comes back, and where one is signed in."""
    visitor = Visitor(house)
    typed = form(email="x", first_name=name, last_name=name)
    page = Page(visitor.post("/register", typed))
    assert page.fields()["first_name"]["value"] == name
    assert page.fields()["first_name"]["dir"] == "auto"
    assert not {"img", "script"} & {
        tag
        for tag, given in page.elements
        if not str(given.get("src", "")).startswith("/vestibule/assets/")
    }
    made = visitor.post("/register", form(first_name=name))
    assert made.status_code == 303
    answer = visitor.get("/sign-in")
    assert f"As {name}." in Page(answer).text
    assert "<bdi>" in answer.text


def test_asking_who_has_an_account_gets_slow(
    build: Build, moved_clock: SetClock
) -> None:
    """The answer tells it, so it can not be asked for a list of emails."""
    stored_user("admin")
    house = build(
        "session_db_auth", WEB_PAGES="on", REGISTRATION="open", THROTTLE="on"
    )
    for number in range(21):
        stored_user(email=f"{number}@example.com")
    visitor = Visitor(house)
    seen = [
        visitor.post(
            "/register", form(email=f"{number}@example.com")
        ).status_code
        for number in range(21)
    ]
    assert seen == [400] * 21
    answer = visitor.post("/register", form())
    assert answer.status_code == 429
    assert int(answer.headers["Retry-After"]) > 0
    assert "You can try again in" in Page(answer).text
    moved_clock.advance(60)
    assert visitor.post("/register", form()).status_code == 303


def test_a_password_is_reset(house: House) -> None:
    """By the code, once; all sessions end, and one signs in anew."""
    user = stored_user(email="ada@example.com")
    elsewhere = Visitor(house)
    elsewhere.post("/sign-in", {"email": user.email, "password": PASSWORD})
    visitor = Visitor(house)
    code = issue_code(user).code.lower().replace("-", " ")
    answer = visitor.post("/reset", reset_form(code=code))
    assert answer.headers["Location"] == "/sign-in"
    told = visitor.follow(answer)
    assert "Your password was set." in told.text
    assert "Your password was set." not in visitor.get("/sign-in").text
    assert UserSession.all() == []
    assert "was reset" in elsewhere.get("/sign-in").text
    assert has_new_password(user)
    again = visitor.post("/reset", reset_form(code=code))
    assert again.status_code == 400


def test_a_reset_ends_sessions_in_memory_too(build: Build) -> None:
    """Under each mechanism, whoever has them."""
    user = stored_user(email="ada@example.com")
    visitor = Visitor(build("session_auth", WEB_PAGES="on"))
    visitor.post("/sign-in", {"email": user.email, "password": PASSWORD})
    assert visitor.client.get("/api/v1/users/me").status_code == 200
    answer = Visitor(build("session_auth", WEB_PAGES="on")).post(
        "/reset", reset_form(code=issue_code(user).code)
    )
    assert answer.status_code == 303
    assert visitor.client.get("/api/v1/users/me").status_code == 403


@pytest.mark.parametrize("path", ["/register", "/reset"])
def test_a_form_too_large_is_refused(house: House, path: str) -> None:
    """Nobody reads a megabyte of a name."""
    answer = Visitor(house).post(path, form(first_name="x" * 100_000))
    assert answer.status_code == 413


def test_whatever_is_wrong_with_a_code_is_said_alike(
    house: House, moved_clock: SetClock
) -> None:
    """An unknown email, a wrong code, an old one."""
    user = stored_user(email="ada@example.com")
    code = issue_code(user).code
    moved_clock.advance(RESET_CODE_LIFETIME.total_seconds() + 1)
    texts = set()
    for more in (
        {"code": code},
        {"code": "wrong"},
        {"code": "\0"},
        {"code": code, "email": "nobody@example.com"},
    ):
        answer = Visitor(house).post("/reset", reset_form(**more))
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
def test_a_bad_password_leaves_the_code_alone(
    house: House, more: dict[str, str], words: str
) -> None:
    """It works once more, with a better one."""
    user = stored_user(email="ada@example.com")
    code = issue_code(user).code
    visitor = Visitor(house)
    answer = visitor.post("/reset", reset_form(**{"code": code, **more}))
    assert answer.status_code == 400
    assert words in Page(answer).text
    assert visitor.post("/reset", reset_form(code=code)).status_code == 303


def test_guessing_codes_gets_slow(build: Build, moved_clock: SetClock) -> None:
    """The page says how long to wait."""
    stored_user(email="ada@example.com")
    visitor = Visitor(build("session_db_auth", WEB_PAGES="on", THROTTLE="on"))
    for _ in range(5):
        answer = visitor.post("/reset", reset_form(code="wrong"))
    assert answer.status_code == 429
    assert answer.headers["Retry-After"] == "1"
    assert "You can try again in 1 second." in Page(answer).text


@pytest.mark.parametrize("path", ["/register", "/reset"])
def test_another_site_sends_nothing(house: House, path: str) -> None:
    """A form of another site is refused before it is read."""
    user = stored_user(email="bob@example.com")
    typed = form() | reset_form(
        email="bob@example.com", code=issue_code(user).code
    )
    answer = Visitor(house, **{"Sec-Fetch-Site": "cross-site"}).post(
        path, typed
    )
    assert answer.status_code == 403
    assert "This is not allowed" in Page(answer).text
    assert User.count() == 2
    assert not has_new_password(user)
