#!/usr/bin/env python3
"""What people see, as pictures: each is taken anew, and is small.

`make screenshots` puts them into `docs/screenshots`.
"""

import os
from datetime import timedelta
from pathlib import Path

import pytest
from playwright.sync_api import expect

from tests.browser.conftest import Open, Visit, settle
from tests.browser.scenes import PASSWORD, PHONE, sign_in, wrong_password
from tests.browser.visitor import Visitor
from tests.startup_output import printed_setup_code
from vestibule.accounts.users import set_role
from vestibule.audit.log import EventType
from vestibule.audit.writer import HASHES, HASHING, SESSIONS
from vestibule.core import clock
from vestibule.db import events, hourly_counts
from vestibule.db.events import Event
from vestibule.db.hourly_counts import Bucket, hour_of
from vestibule.db.models.user import User
from vestibule.db.models.user_session import UserSession

#: Bytes of a picture: a clone should not grow by it.
MOST = 90_000
LAPTOP = {"width": 900, "height": 640}
TABLET = (
    "Mozilla/5.0 (iPad; CPU OS 17_5 like Mac OS X) AppleWebKit/605.1.15"
    " (KHTML, like Gecko) Version/17.5 Mobile/15E148 Safari/604.1"
)
FIREFOX = (
    "Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0"
)
DESK = {"width": 1000, "height": 760}
#: Width and height of a phone's screen.
POCKET = {"width": 360, "height": 720}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return where the pictures go: into the repository if it is asked."""
    return Path(os.environ.get("SCREENSHOTS", tmp_path))


def taken(visitor: Visitor, folder: Path, name: str) -> None:
    """Take a picture without the blinking cursor, and check its size."""
    file = folder / f"{name}.png"
    visitor.page.screenshot(path=file, animations="disabled", caret="hide")
    assert file.read_bytes().startswith(b"\x89PNG")
    assert 1_000 < file.stat().st_size < MOST


def begin_before(
    user: User, agent: str, ip: str, hours: float, seen: float
) -> None:
    """Store a session that began, and was seen, so many hours ago."""
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


def test_the_first_run(open_house: Open, visit: Visit, folder: Path) -> None:
    """The page that the printed address leads to."""
    house = open_house()
    _, code = printed_setup_code(house)
    visitor = visit(house, viewport={"width": 900, "height": 720})
    visitor.open("/setup")
    visitor.fill(code="7KQ2-M0RD-XW4H-9TZE", email="ada@example.com")
    taken(visitor, folder, "first-run")
    assert code not in visitor.page.content()


def test_the_pages_of_an_account(
    open_house: Open, visit: Visit, folder: Path
) -> None:
    """In light and dark, on a laptop and on a phone, in both languages."""
    house = open_house(SESSION_DURATION="2592000")
    ada: User = settle(
        "ada@example.com", first_name="Ada", last_name="Lovelace"
    )
    set_role(ada, "admin")
    begin_before(ada, PHONE, "203.0.113.24", 9, 0.1)
    begin_before(ada, TABLET, "198.51.100.7", 400, 30)
    visitor = visit(house, viewport=LAPTOP, user_agent=FIREFOX)
    visitor.open("/sign-in")
    taken(visitor, folder, "sign-in")
    visitor.page.emulate_media(color_scheme="dark")
    taken(visitor, folder, "sign-in-dark")
    visitor.page.emulate_media(color_scheme="light")
    wrong_password(visitor, ada)
    sign_in(visitor, ada)
    taken(visitor, folder, "account")
    visitor.open("/account/sessions")
    expect(visitor.page.locator("ul.rows > li")).to_have_count(3)
    taken(visitor, folder, "sessions")
    visitor.page.emulate_media(color_scheme="dark")
    taken(visitor, folder, "sessions-dark")
    visitor.page.emulate_media(color_scheme="light")
    visitor.open("/account/activity")
    taken(visitor, folder, "activity")
    phone = visit(house, viewport=POCKET, user_agent=PHONE, locale="fr-FR")
    phone.open("/sign-in")
    phone.fill(email="ada@example.com", password=PASSWORD)
    taken(phone, folder, "sign-in-phone-french")
    sign_in(phone, ada)
    phone.open("/account/sessions")
    taken(phone, folder, "sessions-phone-french")


def begin_business() -> User:
    """Store users, and a day of what happened; return one who is odd."""
    now = clock.now()
    for number, name in enumerate(("Bob", "Eve", "Grace", "Heidi", "Ivan")):
        begin_before(
            settle(f"{name.lower()}@example.com", first_name=name),
            FIREFOX,
            f"192.0.2.{number}",
            number + 1,
            number / 10,
        )
    eve: User = User.search({"email": "eve@example.com"})[0]
    begin_before(eve, PHONE, "203.0.113.99", 3, 2)
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


def test_the_desk(open_house: Open, visit: Visit, folder: Path) -> None:
    """One of the users, and how much happened in a day; light and dark."""
    house = open_house(SESSION_DURATION="2592000")
    ada: User = settle("ada@example.com", first_name="Ada")
    set_role(ada, "admin")
    eve = begin_business()
    visitor = visit(house, viewport=DESK, user_agent=FIREFOX)
    sign_in(visitor, ada)
    visitor.open(f"/admin/users/{eve.id}")
    taken(visitor, folder, "admin-user")
    visitor.page.emulate_media(color_scheme="dark")
    visitor.open("/admin/figures")
    taken(visitor, folder, "admin-figures-dark")
