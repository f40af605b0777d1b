#!/usr/bin/env python3
"""The pages before sign-in: each keeps the way back, and signing out asks."""

import re
from html import unescape
from urllib.parse import quote

import pytest

from tests.app.api.conftest import Build
from tests.app.api.service import Service, stored_user
from tests.app.web.browser import Browser, Page, signed_in
from vestibule.accounts.recovery import issue_code
from vestibule.accounts.users import create_setup_code

APP = "https://app.example.test"
#: Where users come from: a path of this host, and another host.
BACK = ("/wiki/page?a=1&b=2", f"{APP}/page")
QUERIES = tuple(f"?return_to={quote(back, safe='')}" for back in BACK)
ENTRY_PAGES = {"/sign-in", "/register", "/reset", "/setup"}
STRONG = "violet umbrella 7 kites"

each_way_back = pytest.mark.parametrize(
    ("back", "query"), [*zip(BACK, QUERIES, strict=True)]
)


@pytest.fixture
def service(build: Build) -> Service:
    """Return a service with all of these pages."""
    return build(
        "session_db_auth",
        WEB_PAGES="on",
        REGISTRATION="open",
        AUTHZ_POLICY="self",
        ALLOWED_RETURN_HOSTS="app.example.test",
    )


def entry_links(text: str) -> set[str]:
    """Return the links of a page to pages before sign-in."""
    links = map(unescape, re.findall(r'<a [^>]*href="([^"]*)"', text))
    return {link for link in links if link.partition("?")[0] in ENTRY_PAGES}


@each_way_back
@pytest.mark.parametrize(
    "path", ["/sign-in", "/register", "/reset", "/signed-out"]
)
def test_links_between_entry_pages_keep_the_way_back(
    service: Service, path: str, back: str, query: str
) -> None:
    """So do their forms, which may end on the other host."""
    stored_user()
    answer = Browser(service).get(path + query)
    links = entry_links(answer.text)
    assert links
    assert all(link.endswith(query) for link in links), links
    fields = Page(answer).fields()
    if path != "/signed-out":
        assert fields["return_to"]["value"] == back
    policy = answer.headers["Content-Security-Policy"]
    assert (f"form-action 'self' {APP};" in policy) is (APP in back)


@pytest.mark.parametrize("path", ["/sign-in", "/register", "/reset"])
def test_entry_pages_without_a_way_back_have_plain_links(
    service: Service, path: str
) -> None:
    """An unsafe address is no way back."""
    stored_user()
    for query in ("", "?return_to=//evil.example"):
        answer = Browser(service).get(path + query)
        assert "return_to" not in answer.text
        assert "evil" not in answer.text


@each_way_back
def test_registering_leads_back(
    service: Service, back: str, query: str
) -> None:
    """Also after a mistake in the form."""
    stored_user()
    browser = Browser(service)
    form = {"email": "new@example.com", "password": "x", "return_to": back}
    refused = browser.post("/register", form)
    assert refused.status_code == 400
    assert Page(refused).fields()["return_to"]["value"] == back
    answer = browser.post("/register", form | {"password": STRONG})
    assert answer.headers["Location"] == back
    # Signed in already, the page leads there at once.
    assert browser.get(f"/register{query}").headers["Location"] == back


@each_way_back
def test_reset_leads_back(service: Service, back: str, query: str) -> None:
    """The user is signed in, and gets to the page that they came from."""
    user, browser = stored_user(), Browser(service)
    form = {
        "email": user.email,
        "code": issue_code(user).code,
        "new_password": STRONG,
        "return_to": back,
    }
    answer = browser.post("/reset", form)
    assert answer.headers["Location"] == back
    assert browser.get("/account").status_code == 200


@each_way_back
def test_setup_leads_back(service: Service, back: str, query: str) -> None:
    """From the sign-in page to setup and on, and if it was done before."""
    code, browser = create_setup_code(), Browser(service)
    assert code is not None
    for path in ("/sign-in", "/register"):
        answer = browser.get(path + query)
        assert answer.headers["Location"] == f"/setup{query}"
    page = Page(browser.get(f"/setup{query}"))
    assert page.fields()["return_to"]["value"] == back
    form = {
        "code": code.code,
        "email": "ada@example.com",
        "password": STRONG,
        "return_to": back,
    }
    answer = browser.post("/setup", form)
    assert answer.headers["Location"] == f"/account/welcome{query}"
    link = ("a", {"class": "button", "href": back})
    assert link in Page(browser.follow(answer)).elements
    stranger = Browser(service)
    answer = stranger.get(f"/setup{query}")
    assert answer.headers["Location"] == f"/sign-in{query}"


@each_way_back
def test_application_links_to_sign_out(
    service: Service, back: str, query: str
) -> None:
    """Opening the page ends nothing; its one button does."""
    user = stored_user()
    browser = signed_in(service, user)
    answer = browser.get(f"/sign-out{query}")
    assert answer.status_code == 200
    main = answer.text.partition("<main")[2].partition("</main>")[0]
    assert main.count("<button") == 1
    assert f"You are signed in as {user.email}." in Page(answer).text
    assert ("a", {"href": back}) in Page(answer).elements
    assert Page(answer).fields()["return_to"]["value"] == back
    assert browser.client.get("/api/v1/users/me").status_code == 200
    answer = browser.post("/sign-out", {"return_to": back})
    assert answer.headers["Location"] == f"/signed-out{query}"
    assert browser.client.get("/api/v1/users/me").status_code == 401
    assert entry_links(browser.follow(answer).text) == {f"/sign-in{query}"}


def test_sign_out_page_without_a_session_is_the_end(service: Service) -> None:
    """There is nothing to confirm."""
    answer = Browser(service).get("/sign-out")
    assert answer.headers["Location"] == "/signed-out"


def test_sign_out_page_names_no_unsafe_address(service: Service) -> None:
    """Staying signed in leads to the account then."""
    browser = signed_in(service, stored_user())
    page = Page(browser.get("/sign-out?return_to=//evil.example"))
    assert ("a", {"href": "/account"}) in page.elements
    assert "return_to" not in page.fields()


@each_way_back
def test_another_account_keeps_the_way_back(
    service: Service, back: str, query: str
) -> None:
    """The page for a signed-in user has it as link and in its form."""
    browser = signed_in(service, stored_user())
    page = Page(browser.get(f"/sign-in{query}"))
    assert ("a", {"class": "button wide", "href": back}) in page.elements
    assert page.fields()["return_to"]["value"] == back


def test_password_managers_find_the_form(service: Service) -> None:
    """The address is the one of W3C's specification."""
    path = "/.well-known/change-password"
    browser = Browser(service)
    assert browser.get(path).headers["Location"] == "/account#new-password"
    user = stored_user()
    page = Page(signed_in(service, user).get("/account"))
    places = [given for _, given in page.elements if "id" in given]
    assert "new-password" in [given["id"] for given in places]
    # A service that answers this one with 200 would have no such page.
    unknown = "/.well-known/resource-that-should-not-exist"
    assert browser.get(unknown).status_code == 404


@pytest.mark.parametrize(
    ("value", "sent"),
    [
        ("", None),
        ("storage", '"storage"'),
        ("cache, storage", '"cache", "storage"'),
    ],
)
def test_sign_out_deletes_what_the_setting_names(
    build: Build, value: str, sent: str | None
) -> None:
    """By default nothing of other applications on the origin."""
    service = build("session_db_auth", WEB_PAGES="on", CLEAR_SITE_DATA=value)
    browser = signed_in(service, stored_user())
    answer = browser.post("/sign-out")
    assert answer.headers.get("Clear-Site-Data") == sent
    client = service.client_for(stored_user())
    answer = client.delete("/api/v1/auth_session/logout")
    assert answer.headers.get("Clear-Site-Data") == sent
