#!/usr/bin/env python3
"""Invitations and reset links on the pages: made, used, listed, revoked."""

from urllib.parse import parse_qs, urlsplit

import pytest

from tests.app.api.conftest import Build
from tests.app.api.factor_owner import Owner
from tests.app.api.service import NEW, Service, stored_user
from tests.app.web.browser import Browser, Page, signed_in
from tests.clocks import SetClock
from tests.stored_sessions import sessions_in
from tests.threads import at_once
from vestibule.accounts.recovery import issue_code
from vestibule.accounts.users import disable, invite
from vestibule.core.crypto import new_key
from vestibule.db.models.user import User

OPEN, ADD = "/admin/invitations", "/admin/users/add"
INVITATION = "/account/invitation"
EMAIL = "new@example.com"


@pytest.fixture
def service(build: Build, set_clock: SetClock) -> Service:
    """Return a service with pages."""
    return build("session_db_auth", WEB_PAGES="on")


@pytest.fixture
def admin(service: Service) -> Browser:
    """Return the browser of an admin who has just signed in."""
    return signed_in(service, stored_user("admin", "chief@example.com"))


def link_on(page: Page) -> tuple[str, dict[str, str]]:
    """Return the path and the form's values of the link on a page."""
    (link,) = [
        urlsplit(given["value"] or "")
        for tag, given in page.elements
        if tag == "input" and given.get("id") == "link"
    ]
    values = {name: one for name, (one,) in parse_qs(link.fragment).items()}
    return link.path, values


def test_invited_person_chooses_a_password_and_is_signed_in(
    service: Service, admin: Browser
) -> None:
    """The link opens a page whose form takes what the fragment has."""
    answer = admin.post(ADD, {"email": EMAIL, "valid_hours": "72"})
    path, values = link_on(Page(answer))
    assert path == INVITATION
    assert values["email"] == EMAIL
    person = Browser(service)
    form = Page(person.get(path))
    assert ("data-fragment", None) in [
        each for tag, given in form.elements for each in given.items()
    ]
    assert {"email", "code", "new_password"} <= form.fields().keys()
    answer = person.post(path, {**values, "new_password": NEW})
    assert answer.headers["Location"] == "/account"
    assert "You are signed in." in Page(person.follow(answer)).text
    (user,) = User.search({"email": EMAIL})
    assert len(sessions_in(service.mechanism.store, user.id)) == 1
    again = Browser(service).post(path, {**values, "new_password": NEW + "2"})
    assert again.status_code == 400


def test_reset_link_leads_to_the_page_of_resets(
    service: Service, admin: Browser
) -> None:
    """It signs in, and ends the sessions that there were."""
    user = stored_user()
    before = signed_in(service, user)
    answer = admin.post(f"/admin/users/{user.id}/code")
    path, values = link_on(Page(answer))
    assert path == "/reset"
    person = Browser(service)
    answer = person.post(path, {**values, "new_password": NEW})
    assert answer.headers["Location"] == "/account"
    assert person.get("/account").status_code == 200
    assert before.get("/account").status_code == 303


def test_invitation_leads_to_the_application(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    """APP_URL is where people get to who did not come from a page."""
    monkeypatch.setenv("APP_URL", "https://app.example.com/")
    code = invite(EMAIL).code.code
    person = Browser(service)
    answer = person.post(
        INVITATION, {"email": EMAIL, "code": code, "new_password": NEW}
    )
    assert answer.headers["Location"] == "https://app.example.com/"
    assert "vestibule_notice" not in str(answer.headers)


def test_session_that_came_along_is_replaced(service: Service) -> None:
    """An invited person is not left in the account of another (fixation)."""
    other = stored_user()
    browser = signed_in(service, other)
    code = invite(EMAIL).code.code
    browser.post(
        INVITATION, {"email": EMAIL, "code": code, "new_password": NEW}
    )
    assert EMAIL in browser.get("/account").text
    assert sessions_in(service.mechanism.store, other.id) == []


def test_request_of_another_site_sets_no_password(service: Service) -> None:
    """Another site cannot sign its visitor in to an account of its own."""
    code = invite(EMAIL).code.code
    answer = Browser(service, **{"Sec-Fetch-Site": "cross-site"}).post(
        INVITATION, {"email": EMAIL, "code": code, "new_password": NEW}
    )
    assert answer.status_code == 403
    (user,) = User.search({"email": EMAIL})
    assert not user.has_password


def test_disabled_person_cannot_use_the_link(service: Service) -> None:
    """The same message as for a wrong code; no session begins."""
    invited = invite(EMAIL)
    disable(invited.user)
    browser = Browser(service)
    answer = browser.post(
        INVITATION,
        {
            "email": EMAIL,
            "code": invited.code.code,
            "new_password": NEW,
        },
    )
    assert answer.status_code == 400
    assert "Set-Cookie" not in answer.headers
    assert Page(answer).fields()["code"]["value"] == invited.code.code


def test_link_works_once_among_several_at_once(service: Service) -> None:
    """One of four browsers is signed in."""
    code = invite(EMAIL).code.code

    def use(number: int) -> int:
        """Use the link with a password of one's own."""
        form = {"email": EMAIL, "code": code, "new_password": f"{NEW}{number}"}
        return Browser(service).post(INVITATION, form).status_code

    assert sorted(at_once(4, use)) == [303, 400, 400, 400]
    (user,) = User.search({"email": EMAIL})
    assert len(sessions_in(service.mechanism.store, user.id)) == 1


def test_list_shows_open_invitations_and_revokes_one(
    service: Service, admin: Browser
) -> None:
    """Afterwards the admin is back in the list, in the same order."""
    admin.post(ADD, {"email": EMAIL, "valid_hours": "24"})
    code = invite("other@example.com").code.code
    here = f"{OPEN}?sort=email"
    text = Page(admin.get(here)).text
    assert "2 invitations" in text
    assert EMAIL in text and "chief@example.com" in text
    assert code not in text
    (user,) = User.search({"email": "other@example.com"})
    path = f"{OPEN}/{user.id}/revoke"
    listed = Page(admin.get(here))
    # The buttons send the form of the list, which names the place once.
    places = [
        given["value"]
        for tag, given in listed.elements
        if tag == "input" and given.get("name") == "back"
    ]
    assert places == [here]
    assert {path, f"/admin/users/{user.id}/code"} <= {
        given.get("formaction") for _, given in listed.elements
    }
    asked = Page(admin.get(path, query_string={"back": here}))
    assert "Revoke this invitation?" in asked.text
    assert asked.fields()["back"]["value"] == here
    answer = admin.post(path, {"back": here})
    assert answer.headers["Location"] == here
    shown = Page(admin.follow(answer)).text
    assert "The invitation was revoked." in shown
    assert "other@example.com" not in shown
    again = admin.follow(admin.post(path, {"back": here}))
    assert "This invitation is no longer open." in Page(again).text
    form = {"email": user.email, "code": code, "new_password": NEW}
    assert Browser(service).post(INVITATION, form).status_code == 400


def test_new_link_of_an_invited_user_has_a_chosen_lifetime(
    service: Service, admin: Browser, set_clock: SetClock
) -> None:
    """The link before stops working."""
    invited = invite(EMAIL)
    path = f"/admin/users/{invited.user.id}/code"
    assert "Create a new invitation?" in Page(admin.get(path)).text
    answer = admin.post(path, {"valid_hours": "168"})
    page, values = link_on(Page(answer))
    assert page == INVITATION
    set_clock.advance(604_799)
    old = {"email": EMAIL, "code": invited.code.code, "new_password": NEW}
    assert Browser(service).post(page, old).status_code == 400
    new = Browser(service).post(page, {**values, "new_password": NEW})
    assert new.status_code == 303


@pytest.mark.parametrize("hours", ["0", "169", "9" * 30])
def test_forged_lifetime_adds_no_user(admin: Browser, hours: str) -> None:
    """The form is shown again."""
    answer = admin.post(ADD, {"email": EMAIL, "valid_hours": hours})
    assert answer.status_code == 400
    assert User.search({"email": EMAIL}) == []


def test_user_without_email_gets_no_link(
    service: Service, admin: Browser
) -> None:
    """The page says why, instead of a code that cannot be used."""
    user = User(first_name="Bob")
    user.save()
    page = Page(admin.post(f"/admin/users/{user.id}/code"))
    assert "This user has no email" in page.text


def test_used_and_wrong_codes_of_reset_and_invitation_get_one_message(
    service: Service,
) -> None:
    """The page does not reveal whether the email was invited."""
    user = stored_user()
    code = issue_code(user).code
    texts = {
        Page(
            Browser(service).post(
                INVITATION,
                {"email": email, "code": "wrong", "new_password": NEW},
            )
        ).text
        for email in (EMAIL, str(user.email), "unknown@example.com")
    }
    assert len(texts) == 1
    assert code not in texts.pop()


def test_link_does_not_replace_a_second_factor(
    service: Service, monkeypatch: pytest.MonkeyPatch, set_clock: SetClock
) -> None:
    """The password is set, and the next page asks for the factor."""
    monkeypatch.setenv("SECRETS_KEY", new_key())
    owner = Owner()
    code = issue_code(owner.user).code
    browser = Browser(service)
    form = {
        "email": owner.user.email,
        "code": code,
        "new_password": NEW,
    }
    answer = browser.post("/reset", form)
    assert answer.headers["Location"] == "/account/second-factor"
    shown = Page(browser.follow(answer)).text
    assert "Second step" in shown
    assert sessions_in(service.mechanism.store, owner.user.id) == []
    assert browser.get("/account").status_code == 303
