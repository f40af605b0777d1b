#!/usr/bin/env python3
"""Screenshots of the main pages, of limited size.

`make screenshots` writes them to `docs/screenshots`.
"""

import os
from datetime import timedelta
from pathlib import Path

import pytest
from playwright.sync_api import Browser as Chromium
from playwright.sync_api import ViewportSize, expect

from tests.browser.browser import Browser
from tests.browser.conftest import OpenBrowser, StartServer, add_user
from tests.browser.passkey_device import (
    EMAIL,
    Device,
    passkey_server,
    sign_in_with_password,
    sign_out,
    without_autofill,
)
from tests.browser.scenes import PASSWORD, PHONE, sign_in, wrong_password
from tests.browser.test_lost_phone import Phone
from tests.startup_output import printed_setup_code
from vestibule.accounts.users import set_role
from vestibule.audit.log import EventType
from vestibule.audit.writer import HASHES, HASHING, SESSIONS
from vestibule.core import clock
from vestibule.core.crypto import new_key
from vestibule.db import events, hourly_counts
from vestibule.db.events import Event
from vestibule.db.hourly_counts import Bucket, hour_of
from vestibule.db.models.user import User
from vestibule.db.models.user_session import UserSession

#: Keeps clones of the repository small.
MAX_SCREENSHOT_BYTES = 90_000
LAPTOP: ViewportSize = {"width": 900, "height": 640}
#: Shows the account page as far as the end of a section.
ACCOUNT_PAGE: ViewportSize = {"width": 900, "height": 596}
TABLET = (
    "Mozilla/5.0 (iPad; CPU OS 17_5 like Mac OS X) AppleWebKit/605.1.15"
    " (KHTML, like Gecko) Version/17.5 Mobile/15E148 Safari/604.1"
)
FIREFOX = (
    "Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0"
)
WIDE_LAPTOP: ViewportSize = {"width": 1000, "height": 776}
#: Width and height of a phone's screen.
PHONE_SCREEN = {"width": 360, "height": 740}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return the folder for screenshots: `SCREENSHOTS` or a temporary one."""
    return Path(os.environ.get("SCREENSHOTS", tmp_path))


def take_screenshot(browser: Browser, folder: Path, name: str) -> None:
    """Save a screenshot without the blinking cursor; check its size."""
    file = folder / f"{name}.png"
    browser.page.screenshot(path=file, animations="disabled", caret="hide")
    assert file.read_bytes().startswith(b"\x89PNG")
    assert 1_000 < file.stat().st_size < MAX_SCREENSHOT_BYTES


def add_past_session(
    user: User, agent: str, ip: str, hours: float, seen: float
) -> None:
    """Store a session that began `hours` ago, last seen `seen` hours ago."""
    now = clock.now()
    UserSession(
        user_id=user.id,
        session_id=agent,
        created_at=now - timedelta(hours=hours),
        last_seen_at=now - timedelta(hours=seen),
        user_agent=agent,
        ip=ip,
        method="password",
    ).save()


def test_first_run(
    start_server: StartServer, open_browser: OpenBrowser, folder: Path
) -> None:
    """The setup page."""
    server = start_server()
    _, code = printed_setup_code(server)
    browser = open_browser(server, viewport={"width": 900, "height": 720})
    browser.open("/setup")
    browser.fill(code="7KQ2-M0RD-XW4H-9TZE", email="ada@example.com")
    take_screenshot(browser, folder, "first-run")
    assert code not in browser.page.content()


def test_account_pages(
    start_server: StartServer, open_browser: OpenBrowser, folder: Path
) -> None:
    """In light and dark, on a laptop and on a phone, in both languages."""
    server = start_server(SESSION_DURATION="2592000")
    ada: User = add_user(
        "ada@example.com", first_name="Ada", last_name="Lovelace"
    )
    set_role(ada, "admin")
    add_past_session(ada, PHONE, "203.0.113.24", 9, 0.1)
    add_past_session(ada, TABLET, "198.51.100.7", 400, 30)
    browser = open_browser(server, viewport=LAPTOP, user_agent=FIREFOX)
    browser.open("/sign-in")
    take_screenshot(browser, folder, "sign-in")
    browser.page.emulate_media(color_scheme="dark")
    take_screenshot(browser, folder, "sign-in-dark")
    browser.page.emulate_media(color_scheme="light")
    wrong_password(browser, ada)
    sign_in(browser, ada)
    browser.page.set_viewport_size(ACCOUNT_PAGE)
    take_screenshot(browser, folder, "account")
    browser.page.set_viewport_size(LAPTOP)
    browser.open("/account/sessions")
    expect(browser.page.locator("ul.rows > li")).to_have_count(3)
    take_screenshot(browser, folder, "sessions")
    browser.page.emulate_media(color_scheme="dark")
    take_screenshot(browser, folder, "sessions-dark")
    browser.page.emulate_media(color_scheme="light")
    browser.open("/account/activity")
    take_screenshot(browser, folder, "activity")
    phone = open_browser(
        server, viewport=PHONE_SCREEN, user_agent=PHONE, locale="fr-FR"
    )
    phone.open("/sign-in")
    phone.fill(email="ada@example.com", password=PASSWORD)
    take_screenshot(phone, folder, "sign-in-phone-french")
    sign_in(phone, ada)
    phone.open("/account/sessions")
    take_screenshot(phone, folder, "sessions-phone-french")


def test_factor_pages(
    chromium: Chromium,
    folder: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A passkey and an app: add them, see them, and use them."""
    with passkey_server(tmp_path, SECRETS_KEY=new_key()) as server:
        monkeypatch.setenv("DATABASE_URL", server.env["DATABASE_URL"])
        add_user(EMAIL)
        browser = without_autofill(
            Browser(chromium, server.url, viewport=LAPTOP, user_agent=FIREFOX)
        )
        device = Device(browser)
        browser.goto("/sign-in")
        sign_in_with_password(browser)
        browser.expect_path("/account")
        browser.open("/account/factors/passkey")
        browser.fill(name="laptop")
        take_screenshot(browser, folder, "passkey-add")
        browser.click_button("Create the passkey")
        browser.expect_text("Your recovery codes")
        take_screenshot(browser, folder, "recovery-codes")
        browser.open("/account/factors/add")
        browser.fill(name="phone")
        browser.click_button("Continue")
        browser.expect_path("/account/factors/confirm")
        browser.page.set_viewport_size(WIDE_LAPTOP)
        take_screenshot(browser, folder, "app-confirm")
        phone = Phone(browser)
        browser.fill(code=phone.code(-1))
        browser.click_button("Confirm the app")
        browser.open("/account/factors")
        take_screenshot(browser, folder, "factors")
        browser.page.set_viewport_size(LAPTOP)
        browser.open("/account/factors/step-up?fresh=0")
        take_screenshot(browser, folder, "step-up")
        sign_out(browser)
        device.remove()
        browser.open("/sign-in")
        sign_in_with_password(browser)
        browser.expect_path("/account/second-factor")
        take_screenshot(browser, folder, "second-factor")
        browser.close()


def add_day_of_activity() -> User:
    """Store users and a day of activity; return a user under attack."""
    now = clock.now()
    for number, name in enumerate(("Bob", "Eve", "Grace", "Heidi", "Ivan")):
        add_past_session(
            add_user(f"{name.lower()}@example.com", first_name=name),
            FIREFOX,
            f"192.0.2.{number}",
            number + 1,
            number / 10,
        )
    eve: User = User.search({"email": "eve@example.com"})[0]
    add_past_session(eve, PHONE, "203.0.113.99", 3, 2)
    events.insert_events(
        [
            Event(
                now - timedelta(minutes=7 * number),
                kind,
                eve.id,
                ip="203.0.113.99",
                network="203.0.113.99/32",
                user_agent=PHONE,
            )
            for number, kind in enumerate(
                (
                    EventType.LOGIN,
                    *[EventType.LOGIN_FAILED] * 4,
                    EventType.THROTTLED,
                )
            )
        ]
    )
    hourly_counts.set_gauge(
        {
            Bucket(hour_of(now) - ago, name): amount * (ago * 7 % 11 + 1)
            for ago in range(24)
            for name, amount in (
                (EventType.LOGIN, 5),
                (EventType.LOGIN_FAILED, 1),
                (SESSIONS, 9),
                (EventType.USER_ADDED, 1),
                (EventType.THROTTLED, ago % 3),
                (HASHES, 6),
                (HASHING, 150_000 + ago * 900),
            )
        }
    )
    return eve


def test_admin_pages(
    start_server: StartServer, open_browser: OpenBrowser, folder: Path
) -> None:
    """A user in light colors, and the statistics in dark ones."""
    server = start_server(SESSION_DURATION="2592000")
    ada: User = add_user("ada@example.com", first_name="Ada")
    set_role(ada, "admin")
    eve = add_day_of_activity()
    browser = open_browser(server, viewport=WIDE_LAPTOP, user_agent=FIREFOX)
    sign_in(browser, ada)
    browser.open(f"/admin/users/{eve.id}")
    take_screenshot(browser, folder, "admin-user")
    browser.page.emulate_media(color_scheme="dark")
    browser.open("/admin/figures")
    take_screenshot(browser, folder, "admin-figures-dark")
