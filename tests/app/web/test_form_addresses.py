#!/usr/bin/env python3
"""The address of a form opens its page again, with what it is about.

After an error the browser shows the address that the form was sent to. The
user may open it again, switch the language there, or have to sign in first.
"""

import re
from urllib.parse import parse_qs, urlsplit

import pytest

from tests.app.api.conftest import Build
from tests.app.api.service import PASSWORD, Service, stored_user
from tests.app.web.browser import Browser, Page, signed_in
from tests.app.web.factor_pages import FACTORS, Owner, owner, with_key
from tests.app.web.factor_pages import signed_in as signed_in_by_code
from tests.clocks import SetClock
from tests.serving import ROOT
from tests.stored_sessions import sessions_in
from vestibule.accounts.second_factors import begin_app
from vestibule.accounts.users import invite
from vestibule.db.models.user import User
from vestibule.web.routes import PUBLIC_ENDPOINTS

__all__ = ["owner", "with_key"]

BACK = "/admin?q=example&rows=50"
#: Answered by JSON to a script, so no browser shows their address.
FOR_SCRIPTS = {"/account/passkey-options", "/account/factors/passkey-options"}


@pytest.fixture
def service(build: Build, set_clock: SetClock) -> Service:
    """Return a service whose sessions end after ten minutes without use."""
    return build(
        "session_db_auth",
        WEB_PAGES="on",
        SESSION_IDLE_TIMEOUT="600",
        PUBLIC_URL="http://localhost",
        ALLOWED_RETURN_HOSTS="app.example",
        REGISTRATION="open",
    )


def hidden(page: Page) -> list[tuple[str, str]]:
    """Return the hidden fields of the form in the main part of a page."""
    return [
        (str(given.get("name")), str(given.get("value")))
        for tag, given in page.elements
        if tag == "input"
        and given.get("type") == "hidden"
        and given.get("name") != "shown_page"
    ]


def action_of(page: Page) -> str:
    """Return the address that the form in the main part is sent to."""
    found = [
        str(given["action"])
        for tag, given in page.elements
        if tag == "form" and given.get("method") == "post"
    ]
    (only,) = (
        each
        for each in found
        if not each.endswith(("/sign-out", "/account/preferences"))
    )
    return only


def test_each_path_that_takes_a_form_has_a_page(service: Service) -> None:
    """A path that takes POST alone would be a 405 page when opened."""
    methods: dict[str, set[str]] = {}
    for rule in service.app.url_map.iter_rules():
        if rule.endpoint.startswith("pages."):
            methods.setdefault(rule.rule, set()).update(rule.methods or ())
    lone = {
        path
        for path, allowed in methods.items()
        if "POST" in allowed and "GET" not in allowed
    }
    assert lone == FOR_SCRIPTS
    assert PUBLIC_ENDPOINTS


def admin_addresses(service: Service) -> list[str]:
    """Return addresses of admin forms about users, sessions and more."""
    user = stored_user(email="ada@example.com")
    signed_in(service, user)
    (session,) = sessions_in(service.mechanism.store, user.id)
    invited = invite("eve@example.com").user
    back = "back=%2Fadmin%3Fq%3Dexample%26rows%3D50"
    return [
        f"/admin/users/add?{back}",
        f"/admin/users/{user.id}/edit?{back}",
        f"/admin/users/{user.id}/disable?{back}",
        f"/admin/users/{invited.id}/code?{back}",
        f"/admin/users/selected?{back}&id={user.id}&id={invited.id}"
        "&do=disable",
        f"/admin/sessions/end?{back}&session={session.id}",
        f"/admin/sessions/end-all?{back}",
        f"/admin/invitations/{invited.id}/revoke?{back}",
    ]


def check_address(
    browser: Browser, address: str, wrong: dict[str, str]
) -> None:
    """Send the form of a page with a mistake, and open its address again."""
    page = Page(browser.get(address))
    form: dict[str, object] = {}
    for name, value in hidden(page):
        form[name] = [*form.get(name, []), value]  # type: ignore[misc]
    answer = browser.post(action_of(page), {**form, **wrong})
    assert answer.status_code in (400, 401), address
    shown = Page(answer)
    assert hidden(shown) == hidden(page), address
    again = browser.get(action_of(shown))
    assert again.status_code == 200, address
    assert hidden(Page(again)) == hidden(page), address


def test_admin_forms_keep_what_they_are_about(
    service: Service, set_clock: SetClock
) -> None:
    """The selection, and the list to go back to."""
    addresses = admin_addresses(service)
    browser = signed_in(service, stored_user("admin"))
    set_clock.advance(301)
    for address in addresses:
        check_address(browser, address, {"password": "wrong"})


def test_factor_forms_keep_what_they_are_about(
    service: Service, owner: Owner, set_clock: SetClock
) -> None:
    """The app, and the application to go back to."""
    browser = signed_in_by_code(service, owner)
    new = begin_app(owner.user, "tablet").factor
    set_clock.advance(301)
    back = "return_to=https%3A%2F%2Fapp.example%2Fx"
    for address, wrong in (
        (f"{FACTORS}/add?{back}", {"name": ""}),
        (f"{FACTORS}/rename?factor={owner.app_id}", {"name": ""}),
        (f"{FACTORS}/remove?factor={owner.app_id}", {}),
        (f"{FACTORS}/step-up?level=2&fresh=60&{back}", {"code": ""}),
    ):
        check_address(browser, address, wrong)
    set_clock.advance(-301)
    check_address(
        browser, f"{FACTORS}/confirm?factor={new.id}&{back}", {"code": "1"}
    )


def test_entry_forms_keep_the_way_back(service: Service) -> None:
    """So do the links beside them."""
    stored_user()
    back = "return_to=https%3A%2F%2Fapp.example%2Fx%3Fa%3Db"
    for path in ("/sign-in", "/register", "/reset", "/account/invitation"):
        check_address(Browser(service), f"{path}?{back}", {"email": "a"})


def test_second_step_stays_at_the_recovery_code(
    service: Service, owner: Owner
) -> None:
    """A wrong one has a message of its own."""
    browser = Browser(service)
    form = {"email": str(owner.user.email), "password": PASSWORD}
    browser.post("/sign-in", form)
    page = Page(browser.get("/account/second-factor?use=recovery"))
    answer = browser.post(
        action_of(page), {"use": "recovery", "recovery_code": "wrong"}
    )
    assert "Wait for the next code" not in answer.text
    assert "This recovery code is wrong, or was already used." in answer.text
    again = Page(browser.get(action_of(Page(answer))))
    assert "recovery_code" in again.fields()


def sign_in_again(browser: Browser, user: User, answer: object) -> Page:
    """Sign in after a form without a session; return the page after it."""
    location = answer.headers["Location"]  # type: ignore[attr-defined]
    (back,) = parse_qs(urlsplit(location).query)["return_to"]
    form = {"email": user.email, "password": PASSWORD, "return_to": back}
    shown = browser.follow(browser.post("/sign-in", form))
    while shown.status_code == 303:
        shown = browser.follow(shown)
    assert shown.status_code == 200, back
    return Page(shown)


def test_selection_outlives_the_session(
    service: Service, set_clock: SetClock
) -> None:
    """The page asks again; it does not say that rows are gone."""
    addresses = admin_addresses(service)
    admin = stored_user("admin")
    for address in addresses:
        browser = signed_in(service, admin)
        before = Page(browser.get(address))
        set_clock.advance(601)
        answer = browser.post(action_of(before), dict(hidden(before)))
        page = sign_in_again(browser, admin, answer)
        assert hidden(page) == hidden(before), address
        assert "already ended" not in page.text
        assert "Select at least" not in page.text


def test_entries_about_a_user_outlive_the_session(
    service: Service, set_clock: SetClock
) -> None:
    """As do those of each other form with fields."""
    user, admin = stored_user(), stored_user("admin")
    for path, name in (
        (f"/admin/users/{user.id}/edit", "first_name"),
        ("/admin/users/add", "last_name"),
        ("/admin/sessions/end-all", "name"),
    ):
        browser = signed_in(service, admin)
        set_clock.advance(601)
        form = {"account": admin.id, "back": BACK, name: "Zo\u00eb"}
        page = sign_in_again(browser, admin, browser.post(path, form))
        assert page.fields()[name]["value"] == "Zo\u00eb", path
        assert "Your entries are not saved yet." in page.text


@pytest.mark.parametrize(
    ("path", "heading"),
    [
        ("/account/notices", "How other users see you."),
        ("/account/confirmation", "How other users see you."),
        ("/account/sessions/untrust", "Your sessions"),
        ("/admin/zone?back=%2Fadmin%2Foverview", "Overview"),
    ],
)
def test_small_forms_lead_back_to_their_page(
    service: Service, set_clock: SetClock, path: str, heading: str
) -> None:
    """They have no page of their own."""
    admin = stored_user("admin")
    browser = signed_in(service, admin)
    set_clock.advance(601)
    page = sign_in_again(browser, admin, browser.post(path, {"zone": "UTC"}))
    assert heading in page.text


def test_button_without_a_selection_says_so(service: Service) -> None:
    """Without a script, it can be pressed; it must not export everything."""
    browser = signed_in(service, stored_user("admin"))
    for path, back in (
        ("/admin/sessions/end", "/admin/sessions?device=curl"),
        ("/admin/sessions/export", "/admin/sessions?device=curl"),
        ("/admin/users/export", BACK),
        ("/admin/users/selected?do=disable", BACK),
    ):
        query = dict(parse_qs(urlsplit(path).query), back=[back])
        answer = browser.get(urlsplit(path).path, query_string=query)
        assert answer.headers.get("Location") == back, path
        page = Page(browser.follow(answer))
        assert "Select at least one row first." in page.text


def test_no_email_field_lets_the_browser_change_the_address() -> None:
    """Chromium refuses "\u00e9@example.com" in `type="email"`.

    And it stores "a@\u00e9.example" as another address, which has no account.
    """
    folder = ROOT / "vestibule/web/templates"
    seen = 0
    for file in folder.glob("*.html"):
        for field in re.findall(r'form\.field\("email".*', file.read_text()):
            seen += 1
            assert 'inputmode="email"' in field, file.name
            assert "type=" not in field, file.name
    assert seen > 7


def test_ended_sessions_are_not_called_deleted(service: Service) -> None:
    """One and several have a message of their own."""
    browser = signed_in(service, stored_user("admin"))
    for query, text in (
        ("session=a", "That session had already ended."),
        ("session=a&session=b", "Those sessions had already ended."),
    ):
        answer = browser.get(f"/admin/sessions/end?{query}")
        assert text in browser.follow(answer).text
