#!/usr/bin/env python3
"""Links that the gate passes, the way back to the application, and focus."""

import pytest

from tests.app.api.conftest import Build
from tests.app.api.service import NEW, PASSWORD, Service, stored_user
from tests.app.web.browser import Browser, Page, signed_in
from tests.clocks import SetClock
from tests.stored_sessions import sessions_in
from vestibule.web.routes import ADMIN_HEADER

APP = "https://app.example.com/start"
NOT_ME = "/account/sessions/not-me"


@pytest.fixture
def service(build: Build, set_clock: SetClock) -> Service:
    """Return a service with pages."""
    return build("session_db_auth", WEB_PAGES="on")


def links(page: Page) -> dict[str | None, dict[str, str | None]]:
    """Return the links of a page by their addresses."""
    return {
        given.get("href"): given for tag, given in page.elements if tag == "a"
    }


@pytest.mark.parametrize(
    ("sent", "is_shown"),
    [(None, True), ("on", True), ("", True), ("off", False)],
)
def test_admin_link_is_left_out_where_the_gate_says_so(
    service: Service, sent: str | None, is_shown: bool
) -> None:
    """The header only hides the link: an admin's pages stay theirs."""
    browser = signed_in(service, stored_user("admin"))
    if sent is not None:
        browser.headers = {**browser.headers, ADMIN_HEADER: sent}
    for path in ("/account", "/account/welcome"):
        found = links(Page(browser.get(path)))
        admin = [one for one in found if (one or "").startswith("/admin")]
        assert bool(admin) is is_shown, path
    assert browser.get("/admin").status_code == 200


def test_member_gets_no_admin_link_by_the_header(service: Service) -> None:
    """The header gives nothing."""
    browser = signed_in(service, stored_user(), **{ADMIN_HEADER: "on"})
    assert "/admin" not in browser.get("/account").text
    assert browser.get("/admin").status_code == 403


@pytest.mark.parametrize(
    ("name", "text"),
    [
        (None, "Back to the application"),
        ("Wiki <b>", "Back to Wiki <b>"),
    ],
)
def test_pages_lead_back_to_the_application(
    service: Service,
    monkeypatch: pytest.MonkeyPatch,
    name: str | None,
    text: str,
) -> None:
    """Each page does, before and after signing in, and on errors."""
    user = stored_user()
    browser, stranger = signed_in(service, user), Browser(service)
    for each, path in (
        (browser, "/account"),
        (browser, "/account/sessions"),
        (browser, "/nowhere"),
        (stranger, "/sign-in"),
        (stranger, "/signed-out"),
    ):
        assert APP not in links(Page(each.get(path)))
    monkeypatch.setenv("APP_URL", APP)
    if name is not None:
        monkeypatch.setenv("APP_NAME", name)
    for each, path in (
        (browser, "/account"),
        (browser, "/account/sessions"),
        (browser, "/nowhere"),
        (stranger, "/sign-in"),
        (stranger, "/signed-out"),
    ):
        page = Page(each.get(path))
        assert APP in links(page), path
        assert text in page.text, path


def test_sign_in_leads_to_the_application_or_back(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The page that the user came from goes first."""
    monkeypatch.setenv("APP_URL", APP)
    user = stored_user()
    form = {"email": user.email, "password": PASSWORD}
    answer = Browser(service).post("/sign-in", form)
    assert answer.headers["Location"] == APP
    # Chromium applies form-action to the redirect after the form, too.
    policy = (
        Browser(service).get("/sign-in").headers["Content-Security-Policy"]
    )
    assert "form-action 'self' https://app.example.com;" in policy
    form["return_to"] = "/account/sessions"
    answer = Browser(service).post("/sign-in", form)
    assert answer.headers["Location"] == "/account/sessions"


def test_stranger_session_ends_and_a_new_password_is_asked_for(
    service: Service,
) -> None:
    """The form for it follows; the new password ends the other sessions."""
    user = stored_user()
    browser, stranger = signed_in(service, user), signed_in(service, user)
    other = signed_in(service, user)
    listed = links(Page(browser.get("/account/sessions")))
    asked = [one for one in listed if one and one.startswith(NOT_ME)]
    assert len(asked) == 2
    (session,) = [
        each.id
        for each in sessions_in(service.mechanism.store, user.id)
        if each.id in asked[0]
    ]
    page = Page(browser.get(asked[0]))
    assert "This wasn't you?" in page.text
    assert page.fields()["session"]["value"] == session
    assert len(sessions_in(service.mechanism.store, user.id)) == 3
    answer = browser.post(NOT_ME, {"account": user.id, "session": session})
    assert answer.headers["Location"] == "/account/password"
    left = sessions_in(service.mechanism.store, user.id)
    assert session not in [each.id for each in left] and len(left) == 2
    shown = Page(browser.follow(answer))
    assert "Choose a new password now" in shown.text
    form = {"current_password": PASSWORD, "new_password": NEW}
    assert browser.post("/account/password", form).status_code == 303
    assert [
        one.get("/account").status_code for one in (browser, stranger, other)
    ] == [200, 303, 303]


@pytest.mark.parametrize("which", ["own", "foreign", "unknown"])
def test_stranger_form_ends_only_own_other_sessions(
    service: Service, which: str
) -> None:
    """Not the one in use, not that of another user."""
    user, other = stored_user(), stored_user()
    browser, foreign = signed_in(service, user), signed_in(service, other)
    store = service.mechanism.store
    handle = {
        "own": sessions_in(store, user.id)[0].id,
        "foreign": sessions_in(store, other.id)[0].id,
        "unknown": "none",
    }[which]
    browser.post(NOT_ME, {"session": handle})
    for each in (browser, foreign):
        assert each.get("/account").status_code == 200


def test_success_is_announced_and_gets_the_focus(service: Service) -> None:
    """`role=status` is read aloud; without scripts `autofocus` moves it."""
    user = stored_user()
    browser = signed_in(service, user)
    answer = browser.post("/account/name", {"first_name": "Amy"})
    page = Page(browser.follow(answer))
    (notice,) = [
        given
        for _, given in page.elements
        if given.get("role") == "status"
        and "notice" in (given.get("class") or "")
    ]
    assert notice["tabindex"] == "-1"
    assert "autofocus" in notice
    assert [given for _, given in page.elements if "autofocus" in given] == [
        notice
    ]
    assert "Your name was saved." in page.text
