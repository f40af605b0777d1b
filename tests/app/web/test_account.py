#!/usr/bin/env python3
"""The account page: name, email, password and deletion."""

from typing import Any

import pytest

from tests.app.api.conftest import Build
from tests.app.api.service import (
    NEW,
    PASSWORD,
    WITH_SESSIONS,
    Service,
    session_id_of,
    stored_user,
)
from tests.app.web.browser import Browser, Page, signed_in
from tests.clocks import SetClock
from tests.serving import COOKIE
from vestibule.audit.writer import audit_writer
from vestibule.db.events import EventFilter
from vestibule.db.events import fetch_page as page_of
from vestibule.db.models.user import User

PATH = "/account"
EVIL = "<script>alert(1)</script>\u202e" + "x" * 160
FORMS: dict[str, dict[str, str]] = {
    "name": {"first_name": "Amy", "last_name": "Winehouse"},
    "email": {"email": "new@example.com", "password": PASSWORD},
    "password": {"current_password": PASSWORD, "new_password": NEW},
    "delete": {"password": PASSWORD},
}


@pytest.fixture(params=WITH_SESSIONS)
def service(
    request: pytest.FixtureRequest, build: Build, set_clock: SetClock
) -> Service:
    """Return a service with pages and each mechanism."""
    return build(request.param, WEB_PAGES="on", THROTTLE="on")


@pytest.fixture
def one_service(build: Build, set_clock: SetClock) -> Service:
    """Return a service with pages and sessions in the database."""
    return build("session_db_auth", WEB_PAGES="on", THROTTLE="on")


def stored(user: User) -> User:
    """Return the user as stored."""
    found = User.get(user.id)
    assert found is not None
    return found


def kinds(user: User) -> list[str]:
    """Return the events of a user, newest first."""
    assert audit_writer().flush()
    found = page_of(EventFilter(user_id=user.id), 100).events
    return [one.kind for one in found]


def invalid(page: Page) -> set[str]:
    """Return the names of the fields that are marked as invalid."""
    return {
        name
        for name, given in page.fields().items()
        if given.get("aria-invalid") == "true"
    }


def test_account_page_shows_user_and_forms(service: Service) -> None:
    """It links to the other pages."""
    user = stored_user()
    user.first_name, user.last_name = "Bob", "Dylan"
    user.save()
    page = Page(signed_in(service, user).get(PATH))
    assert "Bob Dylan" in page.text
    assert page.fields()["email"]["value"] == user.email
    assert page.fields()["first_name"]["value"] == "Bob"
    links = {given.get("href") for tag, given in page.elements if tag == "a"}
    assert links >= {
        "/account/sessions",
        "/account/activity",
        "/account/delete",
    }
    # Signing in has just checked the password.
    assert "password" not in page.fields()


def test_account_page_marks_admins(one_service: Service) -> None:
    """A member has no such mark."""
    for role in ("admin", "member"):
        page = Page(signed_in(one_service, stored_user(role)).get(PATH))
        assert ("Administrator" in page.text) == (role == "admin")


def test_names_are_trimmed_and_saved(service: Service) -> None:
    """A message says so once; names may be removed."""
    user = stored_user()
    here = signed_in(service, user)
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
def test_name_is_shown_as_text(one_service: Service, name: str) -> None:
    """It holds on each page that shows it."""
    user = stored_user()
    here = signed_in(one_service, user)
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


def test_invalid_name_is_refused_at_its_field(one_service: Service) -> None:
    """Nothing changes."""
    user = stored_user()
    here = signed_in(one_service, user)
    answer = here.post(
        f"{PATH}/name", {"first_name": "Amy", "last_name": "a\0b"}
    )
    assert answer.status_code == 400
    assert invalid(Page(answer)) == {"last_name"}
    assert stored(user).first_name is None


def test_email_change_after_sign_in_needs_no_password(
    service: Service,
) -> None:
    """The user then signs in with the new email."""
    user = stored_user()
    here = signed_in(service, user)
    before = session_id_of(here.client)
    answer = here.follow(
        here.post(f"{PATH}/email", {"email": " New@example.com "})
    )
    assert "Your email was saved." in answer.text
    assert stored(user).email == "New@example.com"
    assert session_id_of(here.client) == before
    assert kinds(user)[0] == "email_changed"


def test_later_email_change_needs_password(
    service: Service, set_clock: SetClock
) -> None:
    """The form keeps what was typed, except passwords."""
    user = stored_user()
    here = signed_in(service, user)
    set_clock.advance(301)
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


def test_reauthentication_counts_if_email_is_refused(
    service: Service, set_clock: SetClock
) -> None:
    """The session has a new id; the password is not asked for again."""
    user, other = stored_user(), stored_user()
    here = signed_in(service, user)
    set_clock.advance(301)
    answer = here.post(
        f"{PATH}/email", {"email": other.email, "password": PASSWORD}
    )
    page = Page(answer)
    assert answer.status_code == 400
    assert "This email already has an account." in page.text
    # A user without a name is shown by email.
    assert str(user.email) in page.text
    assert str(other.email) not in page.text
    assert invalid(page) == {"email"}
    assert "password" not in page.fields()
    assert stored(user).email == user.email
    assert here.get(PATH).status_code == 200


@pytest.mark.parametrize(
    "email", ["", "x", "a@b@c", "a\0@example.com", "x" * 10_000, EVIL]
)
def test_invalid_email_is_refused_at_its_field(
    one_service: Service, email: str
) -> None:
    """The field keeps what was typed."""
    user = stored_user()
    here = signed_in(one_service, user)
    answer = here.post(f"{PATH}/email", {"email": email})
    page = Page(answer)
    assert answer.status_code == 400
    assert invalid(page) == {"email"}
    assert "<script>alert" not in answer.text
    assert stored(user).email == user.email


def test_new_password_replaces_old_and_ends_other_sessions(
    service: Service,
) -> None:
    """Only the new one signs in."""
    user = stored_user()
    here, there = (signed_in(service, user) for _ in range(2))
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
def test_invalid_password_is_refused_at_its_field(
    one_service: Service, current: str, new: str, status: int, wrong: str
) -> None:
    """The page repeats none of the passwords."""
    user = stored_user()
    here = signed_in(one_service, user)
    answer = here.post(
        f"{PATH}/password", {"current_password": current, "new_password": new}
    )
    assert answer.status_code == status
    assert invalid(Page(answer)) == {wrong}
    assert 'value="' + (new or "x") not in answer.text
    assert stored(user).is_valid_password(PASSWORD)
    assert ("WWW-Authenticate" in answer.headers) == (status == 401)


def test_empty_form_marks_each_missing_field(one_service: Service) -> None:
    """All are marked at once."""
    user = stored_user()
    here = signed_in(one_service, user)
    answer = here.post(f"{PATH}/password", {})
    assert invalid(Page(answer)) == {"current_password", "new_password"}
    answer = here.post(f"{PATH}/email", {})
    assert invalid(Page(answer)) == {"email"}


@pytest.mark.parametrize("form", ["email", "password", "delete"])
def test_password_guesses_on_account_page_are_throttled(
    one_service: Service, set_clock: SetClock, form: str
) -> None:
    """A stolen session gives no faster way to guess."""
    user = stored_user()
    here = signed_in(one_service, user)
    set_clock.advance(301)
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


def test_user_deletes_account_after_confirmation(service: Service) -> None:
    """The user is signed out and may register again."""
    stored_user("admin")
    user = stored_user()
    here, there = (signed_in(service, user) for _ in range(2))
    page = Page(here.get(f"{PATH}/delete"))
    assert "Delete your account?" in page.text
    answer = here.post(f"{PATH}/delete")
    assert answer.headers["Location"] == "/sign-in"
    assert here.client.get_cookie(COOKIE) is None
    assert "Your account was deleted." in here.follow(answer).text
    assert User.get(user.id) is None
    for browser in (here, there):
        assert browser.get(PATH).headers["Location"].startswith("/sign-in")
    assert kinds(user)[0] == "user_removed"
    form = {"email": user.email, "password": PASSWORD}
    assert Browser(service).post("/sign-in", form).status_code == 401


def test_later_deletion_needs_password(
    service: Service, set_clock: SetClock
) -> None:
    """Without it, or with a wrong one, the account stays."""
    user = stored_user()
    here = signed_in(service, user)
    set_clock.advance(301)
    assert "password" in Page(here.get(f"{PATH}/delete")).fields()
    for password, status in (("", 400), ("wrong", 401)):
        answer = here.post(f"{PATH}/delete", {"password": password})
        assert answer.status_code == status
        assert invalid(Page(answer)) == {"password"}
        assert stored(user)
    assert here.post(f"{PATH}/delete", FORMS["delete"]).status_code == 303
    assert User.get(user.id) is None


def test_last_admin_cannot_delete_account(
    one_service: Service, set_clock: SetClock
) -> None:
    """The page says why, and the session goes on."""
    admin = stored_user("admin")
    here = signed_in(one_service, admin)
    set_clock.advance(301)
    answer = here.post(f"{PATH}/delete", FORMS["delete"])
    assert answer.status_code == 409
    assert "You are the last administrator" in Page(answer).text
    assert stored(admin)
    assert here.get(PATH).status_code == 200


@pytest.mark.parametrize("form", FORMS)
def test_account_form_refuses_cross_site_and_anonymous_posts(
    one_service: Service, form: str
) -> None:
    """A GET changes nothing either."""
    user = stored_user()
    before = stored(user).to_json()
    here = signed_in(one_service, user)
    path, given = f"{PATH}/{form}", FORMS[form]
    evil: list[dict[str, Any]] = [
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "", "Origin": "https://evil.example"},
    ]
    for headers in evil:
        answer = here.post(path, given, headers=headers)
        assert (answer.status_code, answer.mimetype) == (403, "text/html")
    answer = Browser(one_service).post(path, given)
    assert answer.headers["Location"].startswith("/sign-in")
    assert here.get(path, query_string=given).status_code == 200
    assert stored(user).to_json() == before
    assert stored(user).is_valid_password(PASSWORD)


@pytest.mark.parametrize("form", FORMS)
def test_account_form_of_ended_session_redirects_to_sign_in(
    one_service: Service, form: str
) -> None:
    """Nothing changes; the page says so, and signing in leads back."""
    stored_user("admin")
    user = stored_user()
    here = signed_in(one_service, user)
    one_service.mechanism.store.end_all("revoked", user.id)
    before = stored(user).to_json()
    answer = here.post(f"{PATH}/{form}", FORMS[form])
    assert answer.status_code == 303
    location = answer.headers["Location"]
    assert location.startswith("/sign-in?return_to=%2Faccount")
    assert "nothing was saved" in here.get(location).text
    assert stored(user).to_json() == before


def test_oversized_account_form_is_refused(one_service: Service) -> None:
    """The browser gets an error page."""
    here = signed_in(one_service, stored_user())
    answer = here.post(f"{PATH}/name", {"first_name": "x" * 70_000})
    assert answer.status_code == 413
    assert "Request too large" in Page(answer).text
