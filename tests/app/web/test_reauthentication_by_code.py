#!/usr/bin/env python3
"""Where a form asks for the password again, the code of an app counts too."""

import pytest

from tests.app.api.service import (
    PASSWORD,
    Service,
    cookie_name,
    stored_user,
)
from tests.app.web.browser import Browser, Page
from tests.app.web.browser import signed_in as signed_in_by_password
from tests.app.web.factor_pages import (
    Owner,
    owner,
    signed_in,
    with_key,
)
from tests.clocks import SetClock
from vestibule.accounts.users import set_role
from vestibule.core.settings import REAUTH_WINDOW
from vestibule.db.models.user import User

__all__ = ["owner", "with_key"]
DELETE = "/account/delete"
EMAIL = "/account/email"


@pytest.fixture
def later(service: Service, owner: Owner, set_clock: SetClock) -> Browser:
    """Return a browser whose user authenticated too long ago."""
    browser = signed_in(service, owner)
    set_clock.advance(REAUTH_WINDOW.read() + 60)
    return browser


def test_form_asks_for_the_password_or_a_code(
    later: Browser, owner: Owner
) -> None:
    """Neither is required alone, so that the browser sends the form."""
    for path in (DELETE, "/account"):
        fields = Page(later.get(path)).fields()
        assert "required" not in fields["proof_code"], path
        assert "required" not in fields["password"], path
        assert fields["proof_code"]["autocomplete"] == "one-time-code"


def test_user_without_an_app_is_asked_for_the_password_only(
    service: Service, set_clock: SetClock
) -> None:
    """The field is required, as before."""
    browser = signed_in_by_password(service, stored_user())
    set_clock.advance(REAUTH_WINDOW.read() + 60)
    fields = Page(browser.get(DELETE)).fields()
    assert "proof_code" not in fields
    assert "required" in fields["password"]


def test_code_confirms_a_change_and_renews_the_session(
    later: Browser, owner: Owner
) -> None:
    """The session before it, which may be stolen, stops working."""
    before = later.client.get_cookie(cookie_name())
    form = {"email": "new@example.com", "proof_code": owner.code()}
    assert later.post(EMAIL, form).status_code == 303
    stored = User.get(owner.user.id)
    assert stored is not None
    assert stored.email == "new@example.com"
    renewed = later.client.get_cookie(cookie_name())
    assert renewed is not None
    assert before is not None
    assert renewed.value != before.value
    assert "proof_code" not in Page(later.get(DELETE)).fields()


def test_code_confirms_an_action_of_an_admin(
    later: Browser, owner: Owner
) -> None:
    """The confirmation page has the same fields."""
    set_role(owner.user, "admin")
    other = stored_user()
    path = f"/admin/users/{other.id}/disable"
    assert "proof_code" in Page(later.get(path)).fields()
    assert later.post(path, {"proof_code": owner.code()}).status_code == 303
    stored = User.get(other.id)
    assert stored is not None
    assert stored.disabled_at is not None


@pytest.mark.parametrize("offset", [-2, 2, None])
def test_wrong_code_confirms_nothing(
    later: Browser, owner: Owner, offset: int | None
) -> None:
    """The message is at its field, and the account stays."""
    code = "12345" if offset is None else owner.code(offset)
    answer = later.post(DELETE, {"proof_code": code})
    assert answer.status_code == 401
    page = Page(answer)
    assert page.fields()["proof_code"]["aria-invalid"] == "true"
    assert code not in answer.text
    assert User.get(owner.user.id) is not None


def test_code_confirms_once(later: Browser, owner: Owner) -> None:
    """A code that was seen over a shoulder confirms nothing."""
    code = owner.code()
    form = {"email": "new@example.com", "proof_code": code}
    assert later.post(EMAIL, form).status_code == 303
    answer = later.client.post(
        "/api/v1/auth_session/factors/proof", json={"code": code}
    )
    assert answer.status_code == 401


def test_password_confirms_as_before(later: Browser, owner: Owner) -> None:
    """A user may have the phone elsewhere."""
    form = {"email": "new@example.com", "password": PASSWORD}
    assert later.post(EMAIL, form).status_code == 303


def test_fifty_wrong_codes_switch_the_app_off_here_too(
    later: Browser, owner: Owner, set_clock: SetClock
) -> None:
    """A thief of a session does not guess the code."""
    for _ in range(50):
        later.post(DELETE, {"proof_code": "000000"})
        set_clock.advance(901)
    answer = later.post(DELETE, {"proof_code": owner.code()})
    assert answer.status_code == 403
