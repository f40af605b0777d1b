#!/usr/bin/env python3
"""The admin page of a user's second factors, and the link that resets them."""

import re
from urllib.parse import parse_qs, urlsplit

import pytest

from tests.app.api.service import PASSWORD, Service, stored_user
from tests.app.web.browser import Browser, Page
from tests.app.web.factor_pages import (
    FACTORS,
    ME,
    Owner,
    owner,
    signed_in,
    waiting,
    with_key,
)
from tests.clocks import SetClock
from vestibule.accounts.permissions import LOCAL
from vestibule.accounts.recovery import issue_factor_reset
from vestibule.db import factors
from vestibule.db.models.user import User

__all__ = ["owner", "with_key"]
RESET = "/account/factor-reset"


@pytest.fixture
def chief(service: Service, owner: Owner, set_clock: SetClock) -> Browser:
    """Return the browser of an admin who gave a second factor."""
    admin = Owner(stored_user("admin"))
    set_clock.advance(30)
    return signed_in(service, admin)


def admin_path(user: User) -> str:
    """Return the admin page of a user."""
    return f"/admin/users/{user.id}"


def entries(user: User, code: str, password: str = PASSWORD) -> dict[str, str]:
    """Return the entries of the form."""
    return {"email": str(user.email), "code": code, "password": password}


def test_admin_page_lists_factors_without_seeds(
    chief: Browser, owner: Owner
) -> None:
    """The name, the kind, the codes that are left, and a way to reset."""
    answer = chief.get(admin_path(owner.user))
    text = Page(answer).text
    assert "Authenticator app" in text
    assert "10 recovery codes are left" in text
    assert f"{admin_path(owner.user)}/reset-factors" in answer.text
    (stored,) = [f for f in factors.of_user(owner.user.id) if f.secret]
    assert str(stored.secret) not in answer.text


def test_user_without_factors_has_nothing_to_reset(chief: Browser) -> None:
    """The page says so, and offers no link."""
    answer = chief.get(admin_path(stored_user()))
    assert "has no second factor" in Page(answer).text
    assert "/reset-factors" not in answer.text


def test_link_removes_factors_and_signs_in(
    service: Service, chief: Browser, owner: Owner
) -> None:
    """The user opens it, gives the password, and sets up a new app."""
    before = signed_in(service, owner)
    answer = chief.post(f"{admin_path(owner.user)}/reset-factors")
    assert answer.status_code == 200
    link = re.search(r'id="link" value="([^"]+)"', answer.text)
    assert link is not None
    parts = urlsplit(link[1].replace("&amp;", "&"))
    assert parts.path == RESET
    given = parse_qs(parts.fragment)
    assert given["email"] == [owner.user.email]
    browser = Browser(service)
    page = Page(browser.get(RESET))
    assert set(page.fields()) >= {"email", "code", "password"}
    answer = browser.post(RESET, entries(owner.user, given["code"][0]))
    assert answer.headers["Location"] == FACTORS
    assert "second factors were removed" in Page(browser.follow(answer)).text
    assert browser.client.get(ME).status_code == 200
    assert before.client.get(ME).status_code == 403


@pytest.mark.parametrize(
    ("code", "password", "status"),
    [("WRONG", PASSWORD, 400), ("", PASSWORD, 400), (None, "wrong", 401)],
)
def test_wrong_entries_change_nothing(
    service: Service,
    owner: Owner,
    code: str | None,
    password: str,
    status: int,
) -> None:
    """The form comes back, without the password."""
    right = issue_factor_reset(owner.user, actor=LOCAL).code
    form = entries(owner.user, right if code is None else code, password)
    answer = Browser(service).post(RESET, form)
    assert answer.status_code == status
    assert "value" not in Page(answer).fields()["password"]
    assert factors.has_any(owner.user.id)


def test_admin_without_a_second_factor_gets_no_link(
    service: Service, owner: Owner
) -> None:
    """The confirmation page says what is missing."""
    browser = Browser(service)
    form = {
        "email": str(stored_user("admin").email),
        "password": PASSWORD,
    }
    browser.post("/sign-in", form)
    answer = browser.post(f"{admin_path(owner.user)}/reset-factors")
    assert answer.status_code == 403
    assert "your own second factor" in Page(answer).text
    assert 'id="link"' not in answer.text


def test_admin_gets_no_link_for_own_factors(
    service: Service, set_clock: SetClock
) -> None:
    """The page offers none, and a forged form gets none."""
    admin = Owner(stored_user("admin"))
    set_clock.advance(30)
    browser = signed_in(service, admin)
    shown = browser.get(admin_path(admin.user))
    assert "/reset-factors" not in shown.text
    answer = browser.post(f"{admin_path(admin.user)}/reset-factors")
    assert answer.status_code == 403


def test_overview_counts_users_with_a_second_factor(chief: Browser) -> None:
    """The owner, and the admin."""
    text = " ".join(Page(chief.get("/admin/overview")).text.split())
    assert re.search(r"Users with a second factor 2\b|2 Users with", text)


def test_waiting_login_ends_with_the_reset(
    service: Service, owner: Owner
) -> None:
    """The second step of a login from before cannot continue."""
    browser = waiting(service, owner.user)
    code = issue_factor_reset(owner.user, actor=LOCAL).code
    Browser(service).post(RESET, entries(owner.user, code))
    answer = browser.post("/account/second-factor", {"code": owner.code()})
    assert urlsplit(answer.headers["Location"]).path == "/sign-in"
