#!/usr/bin/env python3
"""The page of my account: name, email, password, and the end of it."""

from typing import Any

import pytest

from tests.app.api.conftest import Build
from tests.app.api.house import (
    NEW,
    PASSWORD,
    WITH_SESSIONS,
    House,
    session_id_of,
    stored_user,
)
from tests.app.web.visitor import Page, Visitor
from tests.clocks import SetClock
from vestibule.audit.writer import audit_writer
from vestibule.db.events import EventFilter
from vestibule.db.events import fetch_page as page_of
from vestibule.db.models.user import User

PATH = "/account"
EVIL = "<script>alert(1)</script>\u202e" + "x" * 10_000
FORMS: dict[str, dict[str, str]] = {
    "name": {"first_name": "Amy", "last_name": "Winehouse"},
    "email": {"email": "new@example.com", "password": PASSWORD},
    "password": {"current_password": PASSWORD, "new_password": NEW},
    "delete": {"password": PASSWORD},
}


@pytest.fixture(params=WITH_SESSIONS)
def house(
    request: pytest.FixtureRequest, build: Build, moved_clock: SetClock
) -> House:
    """Return a house with pages, of each mechanism."""
    return build(request.param, WEB_PAGES="on", THROTTLE="on")


@pytest.fixture
def one_house(build: Build, moved_clock: SetClock) -> House:
    """Return a house with pages, of the usual mechanism."""
    return build("session_db_auth", WEB_PAGES="on", THROTTLE="on")


def signed_in(house: House, user: User) -> Visitor:
    """Return the browser of a user who is signed in."""
    visitor = Visitor(house)
    answer = visitor.post(
        "/sign-in", {"email": user.email, "password": PASSWORD}
    )
    assert answer.status_code == 303
    return visitor


def stored(user: User) -> User:
    """Return the user as the database has it."""
    found = User.get(user.id)
    assert found is not None
    return found


def kinds(user: User) -> list[str]:
    """Return what happened to a user, newest first."""
    assert audit_writer().flush()
    found = page_of(EventFilter(user_id=user.id), 100).events
    return [one.kind for one in found]


def invalid(page: Page) -> set[str]:
    """Return the names of the fields that are marked as wrong."""
    return {
        name
        for name, given in page.fields().items()
        if given.get("aria-invalid") == "true"
    }


def test_the_page_shows_the_account(house: House) -> None:
    """Who one is, a form for each part, and the ways to the other pages."""
    user = stored_user()
    user.first_name, user.last_name = "Bob", "Dylan"
    user.save()
    page = Page(signed_in(house, user).get(PATH))
    assert "Bob Dylan" in page.text
    assert page.fields()["email"]["value"] == user.email
    assert page.fields()["first_name"]["value"] == "Bob"
    links = {given.get("href") for tag, given in page.elements if tag == "a"}
    assert links >= {
        "/account/sessions",
        "/account/activity",
        "/account/delete",
    }
    # The password was proved just now, by signing in.
    assert "password" not in page.fields()


def test_an_admin_sees_it(one_house: House) -> None:
    """And nobody else is called one."""
    for role in ("admin", "member"):
        page = Page(signed_in(one_house, stored_user(role)).get(PATH))
        assert ("Administrator" in page.text) == (role == "admin")


def test_names(house: House) -> None:
    """They are saved trimmed, said so once, and may be taken away."""
    user = stored_user()
    here = signed_in(house, user)
    for first, last, shown in (
        (" Amy ", "Winehouse", "Amy Winehouse"),
        ("", "  ", user.email),
    ):
        form = {"first_name": first, "last_name": last}
        answer = here.follow(here.post(f"{PATH}/name", form))
        page = Page(answer)
        assert "Your name was saved." in page.text
        assert str(shown) in page.text
        found = stored(user)
        assert (found.first_name, found.last_name) == (
            first.strip() or None,
            last.strip() or None,
        )


@pytest.mark.parametrize("name", [EVIL, "\u202eevil", 'O\'Hara & "Sons"'])
def test_any_name_is_text(one_house: House, name: str) -> None:
    """On every page that shows it."""
    user = stored_user()
    here = signed_in(one_house, user)
    here.post(f"{PATH}/name", {"first_name": name, "last_name": name})
    assert stored(user).first_name == name
    for path in (PATH, f"{PATH}/sessions", f"{PATH}/activity", "/sign-in"):
        answer = here.get(path)
        page = Page(answer)
        assert answer.status_code == 200
        assert "<script>alert" not in answer.text
        scripts = [one for one in page.elements if one[0] == "script"]
        assert len(scripts) == 1
    assert Page(here.get(PATH)).fields()["first_name"]["value"] == name


def test_a_name_that_cannot_be_kept(one_house: House) -> None:
    """It is said at its field, and nothing is changed."""
    user = stored_user()
    here = signed_in(one_house, user)
    answer = here.post(
        f"{PATH}/name", {"first_name": "Amy", "last_name": "a\0b"}
    )
    assert answer.status_code == 400
    assert invalid(Page(answer)) == {"last_name"}
    assert stored(user).first_name is None


def test_email_soon_after_signing_in(house: House) -> None:
    """No password is asked for; the new one is the one to sign in with."""
    user = stored_user()
    here = signed_in(house, user)
    before = session_id_of(here.client)
    answer = here.follow(
        here.post(f"{PATH}/email", {"email": " New@example.com "})
    )
    assert "Your email was saved." in answer.text
    assert stored(user).email == "New@example.com"
    assert session_id_of(here.client) == before
    assert kinds(user)[0] == "email_changed"


def test_email_later_needs_the_password(
    house: House, moved_clock: SetClock
) -> None:
    """Missing, wrong, right; what was typed stays, passwords do not."""
    user = stored_user()
    here = signed_in(house, user)
    moved_clock.advance(301)
    assert "password" in Page(here.get(PATH)).fields()
    form = {"email": "new@example.com"}
    for password, status in (("", 400), ("wrong", 401)):
        answer = here.post(f"{PATH}/email", form | {"password": password})
        page = Page(answer)
        assert answer.status_code == status
        assert invalid(page) == {"password"}
        assert page.fields()["email"]["value"] == "new@example.com"
        assert "value" not in page.fields()["password"]
        assert stored(user).email == user.email
    before = session_id_of(here.client)
    answer = here.post(f"{PATH}/email", form | {"password": PASSWORD})
    assert "Your email was saved." in here.follow(answer).text
    assert stored(user).email == "new@example.com"
    assert session_id_of(here.client) != before
    assert kinds(user)[:3] == [
        "email_changed",
        "reauthenticated",
        "login_failed",
    ]


def test_a_proof_counts_though_the_email_is_refused(
    house: House, moved_clock: SetClock
) -> None:
    """The session goes on under its new id, and asks no second time."""
    user, other = stored_user(), stored_user()
    here = signed_in(house, user)
    moved_clock.advance(301)
    answer = here.post(
        f"{PATH}/email", {"email": other.email, "password": PASSWORD}
    )
    page = Page(answer)
    assert answer.status_code == 400
    assert "This email already has an account." in page.text
    # Who has no name is called by the email that still is theirs.
    assert str(user.email) in page.text
    assert str(other.email) not in page.text
    assert invalid(page) == {"email"}
    assert "password" not in page.fields()
    assert stored(user).email == user.email
    assert here.get(PATH).status_code == 200


@pytest.mark.parametrize(
    "email", ["", "x", "a@b@c", "a\0@example.com", "x" * 10_000, EVIL]
)
def test_what_is_no_email(one_house: House, email: str) -> None:
    """It is said at the field, which keeps what was typed."""
    user = stored_user()
    here = signed_in(one_house, user)
    answer = here.post(f"{PATH}/email", {"email": email})
    page = Page(answer)
    assert answer.status_code == 400
    assert invalid(page) == {"email"}
    assert "<script>alert" not in answer.text
    assert stored(user).email == user.email


def test_a_new_password(house: House) -> None:
    """It opens, the old one does not, and all other sessions end."""
    user = stored_user()
    here, there = (signed_in(house, user) for _ in range(2))
    before = session_id_of(here.client)
    answer = here.post(f"{PATH}/password", FORMS["password"])
    assert "Your password was changed" in here.follow(answer).text
    assert stored(user).is_valid_password(NEW)
    assert session_id_of(here.client) != before
    assert there.get(PATH).headers["Location"].startswith("/sign-in")
    assert kinds(user)[0] == "password_changed"


@pytest.mark.parametrize(
    ("current", "new", "status", "wrong"),
    [
        ("", NEW, 400, "current_password"),
        (PASSWORD, "", 400, "new_password"),
        ("wrong", NEW, 401, "current_password"),
        (PASSWORD, "short", 400, "new_password"),
        (PASSWORD, PASSWORD, 400, "new_password"),
        (PASSWORD, "password1", 400, "new_password"),
    ],
)
def test_passwords_that_are_refused(
    one_house: House, current: str, new: str, status: int, wrong: str
) -> None:
    """Each at its field, and none of them comes back in the page."""
    user = stored_user()
    here = signed_in(one_house, user)
    answer = here.post(
        f"{PATH}/password", {"current_password": current, "new_password": new}
    )
    assert answer.status_code == status
    assert invalid(Page(answer)) == {wrong}
    assert 'value="' + (new or "x") not in answer.text
    assert stored(user).is_valid_password(PASSWORD)
    assert ("WWW-Authenticate" in answer.headers) == (status == 401)


def test_nothing_filled_in(one_house: House) -> None:
    """Every field that is missing is marked at once."""
    user = stored_user()
    here = signed_in(one_house, user)
    answer = here.post(f"{PATH}/password", {})
    assert invalid(Page(answer)) == {"current_password", "new_password"}
    answer = here.post(f"{PATH}/email", {})
    assert invalid(Page(answer)) == {"email"}


@pytest.mark.parametrize("form", ["email", "password", "delete"])
def test_guessing_has_to_wait(
    one_house: House, moved_clock: SetClock, form: str
) -> None:
    """A thief of a session guesses no faster here than elsewhere."""
    user = stored_user()
    here = signed_in(one_house, user)
    moved_clock.advance(301)
    guess = {
        name: "wrong guess" if "email" not in name else text
        for name, text in FORMS[form].items()
    }
    for _ in range(4):
        assert here.post(f"{PATH}/{form}", guess).status_code == 401
    answer = here.post(f"{PATH}/{form}", guess)
    assert answer.status_code == 429
    assert answer.headers["Retry-After"] == "1"
    assert "You can try again in 1 second." in Page(answer).text


def test_the_account_is_deleted(house: House) -> None:
    """After a question; nobody is signed in any more, and can be again."""
    stored_user("admin")
    user = stored_user()
    here, there = (signed_in(house, user) for _ in range(2))
    page = Page(here.get(f"{PATH}/delete"))
    assert "Delete your account?" in page.text
    answer = here.post(f"{PATH}/delete")
    assert answer.headers["Location"] == "/sign-in"
    assert here.client.get_cookie("_my_session_id") is None
    assert "Your account was deleted." in here.follow(answer).text
    assert User.get(user.id) is None
    for browser in (here, there):
        assert browser.get(PATH).headers["Location"].startswith("/sign-in")
    assert kinds(user)[0] == "user_removed"
    form = {"email": user.email, "password": PASSWORD}
    assert Visitor(house).post("/sign-in", form).status_code == 401


def test_deleting_later_needs_the_password(
    house: House, moved_clock: SetClock
) -> None:
    """Whatever the API asks for."""
    user = stored_user()
    here = signed_in(house, user)
    moved_clock.advance(301)
    assert "password" in Page(here.get(f"{PATH}/delete")).fields()
    for password, status in (("", 400), ("wrong", 401)):
        answer = here.post(f"{PATH}/delete", {"password": password})
        assert answer.status_code == status
        assert invalid(Page(answer)) == {"password"}
        assert stored(user)
    assert here.post(f"{PATH}/delete", FORMS["delete"]).status_code == 303
    assert User.get(user.id) is None


def test_the_last_admin_stays(one_house: House, moved_clock: SetClock) -> None:
    """The page says why, and the session goes on."""
    admin = stored_user("admin")
    here = signed_in(one_house, admin)
    moved_clock.advance(301)
    answer = here.post(f"{PATH}/delete", FORMS["delete"])
    assert answer.status_code == 409
    assert "You are the last administrator" in Page(answer).text
    assert stored(admin)
    assert here.get(PATH).status_code == 200


@pytest.mark.parametrize("form", FORMS)
def test_no_form_is_for_others(one_house: House, form: str) -> None:
    """Neither for another site, nor for who is not signed in, nor by GET."""
    user = stored_user()
    before = stored(user).to_json()
    here = signed_in(one_house, user)
    path, given = f"{PATH}/{form}", FORMS[form]
    evil: list[dict[str, Any]] = [
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "", "Origin": "https://evil.example"},
    ]
    for headers in evil:
        answer = here.post(path, given, headers=headers)
        assert answer.status_code == 403
        assert answer.mimetype == "text/html"
    answer = Visitor(one_house).post(path, given)
    assert answer.headers["Location"].startswith("/sign-in")
    if form != "delete":
        assert here.get(path, query_string=given).status_code == 405
    assert stored(user).to_json() == before
    assert stored(user).is_valid_password(PASSWORD)


@pytest.mark.parametrize("form", FORMS)
def test_a_form_of_another_life(one_house: House, form: str) -> None:
    """A session that ended changes nothing; the way leads to sign in."""
    stored_user("admin")
    user = stored_user()
    here = signed_in(one_house, user)
    one_house.mechanism.store.end_all("revoked", user.id)
    before = stored(user).to_json()
    answer = here.post(f"{PATH}/{form}", FORMS[form])
    assert answer.status_code == 303
    assert answer.headers["Location"].startswith("/sign-in")
    assert stored(user).to_json() == before


def test_a_form_that_is_too_long(one_house: House) -> None:
    """It is refused by a page."""
    here = signed_in(one_house, stored_user())
    answer = here.post(f"{PATH}/name", {"first_name": "x" * 70_000})
    assert answer.status_code == 413
    assert "Too much data" in Page(answer).text
