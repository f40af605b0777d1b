#!/usr/bin/env python3
"""The choice of a language and a theme, kept in cookies."""

import pytest

from tests.app.api.conftest import Build
from tests.app.api.service import Service, stored_user
from tests.app.web.browser import Browser, Page, signed_in
from vestibule.web.i18n import LANGUAGE_COOKIE
from vestibule.web.templating import THEME_COOKIE

PATH = "/account/preferences"


@pytest.fixture
def browser(service: Service) -> Browser:
    """Return an anonymous browser that asks for French."""
    stored_user()
    return Browser(service, **{"Accept-Language": "fr"})


def choose(browser: Browser, **form: str) -> str:
    """Send the form; return where the response leads."""
    answer = browser.post(PATH, form)
    assert answer.status_code == 303
    return answer.headers["Location"]


def html_attributes(browser: Browser, path: str) -> dict[str, str | None]:
    """Return the attributes of a page's `html` element."""
    return dict(Page(browser.get(path)).elements[0][1])


def test_choice_counts_on_each_page_before_and_after_sign_in(
    service: Service, browser: Browser
) -> None:
    """It replaces the language and the theme of the browser."""
    assert html_attributes(browser, "/sign-in") == {"lang": "fr"}
    to = choose(browser, language="en", theme="dark", shown_page="/reset")
    assert to == "/reset"
    for path in ("/sign-in", "/reset", "/nowhere"):
        assert html_attributes(browser, path) == {
            "lang": "en",
            "data-theme": "dark",
        }
    cookies = {
        name: browser.client.get_cookie(name)
        for name in (LANGUAGE_COOKIE, THEME_COOKIE)
    }
    for cookie in cookies.values():
        assert cookie is not None
        assert cookie.max_age == 31_536_000 and cookie.same_site == "Lax"
    choose(browser, language="", theme="")
    assert html_attributes(browser, "/sign-in") == {"lang": "fr"}


def test_page_with_the_form_comes_back_with_its_query(
    service: Service,
) -> None:
    """A signed-in user stays at the same place of a list."""
    browser = signed_in(service, stored_user("admin"))
    path = "/admin?q=a&sort=email"
    shown = Page(browser.get(path)).fields()["shown_page"]["value"]
    assert shown == path
    assert choose(browser, language="fr", shown_page=str(shown)) == path


@pytest.mark.parametrize(
    "page",
    ["https://evil.example/", "//evil.example", "/\\evil.example", "", "x"],
)
def test_choice_leads_to_no_other_site(browser: Browser, page: str) -> None:
    """An unsafe address leads to the sign-in page (open redirect)."""
    assert choose(browser, theme="dark", shown_page=page) == "/sign-in"


@pytest.mark.parametrize("choice", ["xx", "../en", "<b>", "EN", "en\r\nX: y"])
def test_unknown_choice_sets_no_cookie(browser: Browser, choice: str) -> None:
    """A forged cookie counts as none, too."""
    choose(browser, language=choice, theme=choice)
    assert browser.client.get_cookie(LANGUAGE_COOKIE) is None
    assert browser.client.get_cookie(THEME_COOKIE) is None
    for name in (LANGUAGE_COOKIE, THEME_COOKIE):
        browser.client.set_cookie(name, "xx")
    assert html_attributes(browser, "/sign-in") == {"lang": "fr"}


def test_other_site_chooses_nothing(browser: Browser) -> None:
    """The form is checked as every other one."""
    answer = browser.post(
        PATH, {"language": "en"}, headers={"Sec-Fetch-Site": "cross-site"}
    )
    assert answer.status_code == 403
    assert browser.client.get_cookie(LANGUAGE_COOKIE) is None


def test_address_of_the_form_can_be_opened(browser: Browser) -> None:
    """It leads to a page that has the form."""
    assert browser.get(PATH).headers["Location"] == "/sign-in"


def test_cookies_are_below_the_base_path(build: Build) -> None:
    """Another application of the host does not get them."""
    browser = Browser(build("session_db_auth", WEB_PAGES="on"))
    answer = browser.post(
        PATH, {"theme": "dark"}, base_url="http://localhost/auth"
    )
    set_by = [
        one
        for one in answer.headers.getlist("Set-Cookie")
        if one.startswith(f"{THEME_COOKIE}=dark")
    ]
    assert len(set_by) == 1
    assert "Path=/auth" in set_by[0]
