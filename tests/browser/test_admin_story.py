#!/usr/bin/env python3
"""What an admin and a member do with the pages, from the first click on."""

from playwright.sync_api import expect

from tests.browser.conftest import OpenBrowser
from tests.browser.every_page import Site
from tests.browser.scenes import PASSWORD, PHONE, add_session
from tests.serving import COOKIE, LOGIN, ME
from vestibule.db.models.user import User

ROWS = "main .dense tbody tr"


def test_admin_ends_five_suspicious_sessions_of_a_person(
    open_browser_at: OpenBrowser, site: Site
) -> None:
    """Found by a part of the name; the same list is back afterwards."""
    suspect = User(email="rosalind@example.com", last_name="Franklinová")
    suspect.password = PASSWORD
    suspect.save()
    cookies = [
        site.server.request(
            "POST",
            LOGIN,
            data={"email": "rosalind@example.com", "password": PASSWORD},
        ).cookies[COOKIE]
        for _ in range(5)
    ]
    browser = open_browser_at(site.server.url)
    add_session(browser, site.admin)
    browser.open("/admin")
    browser.fill(q="nklinova")
    browser.click_button("Search")
    expect(browser.page.locator(ROWS)).to_have_count(1)
    browser.click_link("rosalind@example.com")
    events = browser.page.locator("main tr", has_text="Signed in")
    for event in events.filter(has_text="127.0.0.1").all()[:3]:
        expect(event.locator("time")).to_contain_text("2")
    assert events.filter(has_text="127.0.0.1").count() >= 3
    browser.click_link("All sessions of this user")
    expect(browser.page.locator(ROWS)).to_have_count(5)
    browser.page.get_by_label("Select all rows").check()
    listed = browser.page.url
    browser.click_button("Sign out…")
    browser.expect_text("Sign out 5 sessions?")
    browser.page.locator("main button.danger").click()
    expect(browser.page).to_have_url(listed)
    expect(browser.page.get_by_role("status")).to_be_visible()
    expect(browser.page.locator(ROWS)).to_have_count(0)
    for cookie in cookies:
        assert site.server.request("GET", ME, cookie).status_code == 403


def test_admin_invites_a_person_by_a_link_that_signs_in(
    open_browser_at: OpenBrowser, site: Site
) -> None:
    """The link is shown once; the person types a password only."""
    browser = open_browser_at(site.server.url)
    add_session(browser, site.admin)
    browser.open("/admin")
    browser.click_link("Add a user…")
    browser.fill(email="invited-person@example.com")
    browser.click_button("Add the user")
    link = browser.page.get_by_label("Link").input_value()
    person = open_browser_at(site.server.url)
    person.page.goto(link)
    person.fill(new_password=PASSWORD)
    person.click_button("Set the password")
    person.expect_path("/account")


def test_person_ends_a_foreign_session_with_a_new_password(
    open_browser_at: OpenBrowser, site: Site
) -> None:
    """The session ends at once, and its old password with it."""
    victim = User(email="victim@example.com")
    victim.password = PASSWORD
    victim.save()
    thief = open_browser_at(site.server.url, user_agent=PHONE)
    thief.sign_in("victim@example.com", PASSWORD)
    browser = open_browser_at(site.server.url)
    browser.sign_in("victim@example.com", PASSWORD)
    browser.click_link("Sessions")
    foreign = browser.page.locator("ul.rows > li", has_text="Android")
    foreign.get_by_role("link", name="This wasn't me").click()
    browser.page.locator("main form button").first.click()
    browser.expect_path("/account/password")
    thief.goto("/account")
    thief.expect_path("/sign-in")
    browser.fill(current_password=PASSWORD, new_password=f"{PASSWORD} more")
    browser.click_button("Change the password")
    expect(browser.page.get_by_role("status")).to_be_visible()
    thief.fill(email="victim@example.com", password=PASSWORD)
    thief.click_button("Sign in")
    expect(thief.page.get_by_role("alert")).to_be_visible()
