#!/usr/bin/env python3
"""The pages that add and remove apps, and sessions by recovery codes."""

import base64
import html
import re
from urllib.parse import parse_qs, quote, urlencode, urlsplit

import pytest
from werkzeug.test import TestResponse

from tests.app.api.conftest import Build
from tests.app.api.service import PASSWORD, Service, stored_user
from tests.app.web.browser import Browser, Page
from tests.app.web.browser import signed_in as signed_in_with_password
from tests.app.web.factor_pages import (
    FACTORS,
    ME,
    SETTINGS,
    SIGN_IN,
    STEP,
    Owner,
    code_of,
    owner,
    signed_in,
    waiting,
    with_key,
)
from tests.clocks import SetClock
from vestibule.db import factors
from vestibule.db.models.user import User
from vestibule.web.factors import qr_code

__all__ = ["owner", "with_key"]


def key_in(answer: TestResponse) -> bytes:
    """Return the seed that a page shows, as a user would type it."""
    match = re.search(r'class="key">([A-Z2-7 ]+)<', answer.text)
    assert match is not None
    groups = match[1].split(" ")
    assert {len(group) for group in groups} == {4}
    return base64.b32decode("".join(groups))


def codes_in(answer: TestResponse) -> list[str]:
    """Return the recovery codes that a page shows."""
    return re.findall(r"<li><bdi>([0-9A-Z-]+)</bdi></li>", answer.text)


def begun(browser: Browser, **form: str) -> TestResponse:
    """Begin to enroll an app; return the page with its key."""
    answer = browser.post(f"{FACTORS}/add", {"name": "tablet", **form})
    return browser.follow(answer)


def confirmed(browser: Browser, page: TestResponse) -> TestResponse:
    """Send the first code of the app on a page."""
    factor = Page(page).fields()["factor"]["value"]
    code = code_of(key_in(page))
    form = {"factor": factor, "code": code}
    return browser.post(f"{FACTORS}/confirm", form)


def test_first_app_is_enrolled_and_brings_codes_once(
    service: Service,
) -> None:
    """The key, the link and the QR code are of the same seed."""
    user = stored_user()
    browser = signed_in_with_password(service, user)
    assert f"{FACTORS}/add" in browser.get("/account").text
    page = begun(browser)
    text = html.unescape(page.text)
    link = re.search(r'href="(otpauth://[^"]+)"', text)
    assert link is not None
    secret = parse_qs(urlsplit(link[1]).query)["secret"][0]
    assert base64.b32decode(secret) == key_in(page)
    assert str(qr_code(link[1])) in page.text
    answer = confirmed(browser, page)
    codes = codes_in(answer)
    assert answer.status_code == 200
    assert len(set(codes)) == 10
    assert quote("\n".join(codes)) in answer.text
    assert answer.headers["Cache-Control"] == "no-store"
    shown = browser.get(FACTORS).text
    assert "tablet" in shown
    assert "10 codes are left" in shown
    assert not any(code in shown for code in codes)
    assert browser.get(f"{FACTORS}/confirm").status_code == 303


def test_qr_code_has_no_style_which_the_policy_forbids(
    service: Service,
) -> None:
    """No script and no address of another host either."""
    drawn = qr_code("otpauth://totp/a:b?secret=A")
    assert drawn.startswith("<svg ")
    for word in ("style", "script", "href", "http", "<?xml"):
        assert word not in drawn


def test_new_app_asks_for_a_password_that_was_not_given_recently(
    service: Service, set_clock: SetClock
) -> None:
    """A wrong one is refused, and no app is pending."""
    browser = signed_in_with_password(service, stored_user())
    set_clock.advance(301)
    assert "password" in Page(browser.get(f"{FACTORS}/add")).fields()
    path, form = f"{FACTORS}/add", {"name": "tablet"}
    assert browser.post(path, form).status_code == 400
    form["password"] = "wrong"
    assert browser.post(path, form).status_code == 401
    form["password"] = PASSWORD
    assert "Location" in browser.post(path, form).headers


def test_key_is_shown_only_after_recent_authentication(
    service: Service, set_clock: SetClock
) -> None:
    """A stolen session cannot read the key of a pending app later."""
    browser = signed_in_with_password(service, stored_user())
    page = begun(browser)
    factor = str(Page(page).fields()["factor"]["value"])
    set_clock.advance(301)
    answer = browser.get(f"{FACTORS}/confirm?factor={factor}")
    assert answer.headers["Location"] == f"{FACTORS}/add"
    form = {"factor": factor, "code": code_of(key_in(page))}
    answer = browser.post(f"{FACTORS}/confirm", form)
    assert answer.status_code == 400
    assert 'class="key"' not in answer.text
    answer = browser.post(f"{FACTORS}/confirm", {**form, "password": PASSWORD})
    assert len(codes_in(answer)) == 10


def test_other_user_cannot_see_or_confirm_a_pending_app(
    service: Service,
) -> None:
    """Its id, known from elsewhere, is of no use."""
    page = begun(signed_in_with_password(service, stored_user()))
    factor = str(Page(page).fields()["factor"]["value"])
    thief = signed_in_with_password(service, stored_user())
    answer = thief.get(f"{FACTORS}/confirm?factor={factor}")
    assert answer.headers["Location"] == FACTORS
    form = {"factor": factor, "code": code_of(key_in(page))}
    answer = thief.post(f"{FACTORS}/confirm", form)
    assert answer.headers["Location"] == FACTORS


def test_wrong_first_code_shows_the_key_again(service: Service) -> None:
    """The user may mistype, and the seed stays the same."""
    browser = signed_in_with_password(service, stored_user())
    page = begun(browser)
    factor = str(Page(page).fields()["factor"]["value"])
    form = {"factor": factor, "code": "12345"}
    answer = browser.post(f"{FACTORS}/confirm", form)
    assert answer.status_code == 401
    assert key_in(answer) == key_in(page)
    assert len(codes_in(confirmed(browser, answer))) == 10


def test_pending_app_is_gone_after_ten_minutes(
    service: Service, set_clock: SetClock
) -> None:
    """The page says that it must be added again."""
    browser = signed_in_with_password(service, stored_user())
    page = begun(browser)
    set_clock.advance(600)
    answer = confirmed(browser, page)
    assert "Add it again" in browser.follow(answer).text


def test_session_without_the_factor_changes_none(
    service: Service, set_clock: SetClock
) -> None:
    """A session from before asks for a code; the password is not enough."""
    user = stored_user()
    browser = signed_in_with_password(service, user)
    owner = Owner(user)
    set_clock.advance(30)
    path, form = f"{FACTORS}/remove", {"factor": owner.app_id}
    page = Page(browser.get(f"{path}?factor={owner.app_id}"))
    assert "proof_code" in page.fields()
    assert browser.post(path, form).status_code == 400
    answer = browser.post(path, {**form, "password": PASSWORD})
    assert answer.status_code == 400
    answer = browser.post(path, {**form, "proof_code": owner.code(5)})
    assert answer.status_code == 401
    assert factors.count_apps(user.id) == 1
    answer = browser.post(path, {**form, "proof_code": owner.code()})
    assert "was removed" in browser.follow(answer).text
    assert not factors.has_any(user.id)


def test_new_recovery_codes_end_the_ones_before(
    service: Service, owner: Owner
) -> None:
    """The page warns while three or fewer are left."""
    browser = signed_in(service, owner)
    for code in owner.recovery[:7]:
        form = {"use": "recovery", "recovery_code": code}
        waiting(service, owner.user).post(STEP, form)
    assert "Only 3 recovery codes are left" in browser.get(FACTORS).text
    assert "codes" in browser.get(f"{FACTORS}/codes").text
    codes = codes_in(browser.post(f"{FACTORS}/codes"))
    assert len(set(codes) - set(owner.recovery)) == 10
    form = {"use": "recovery", "recovery_code": owner.recovery[9]}
    answer = waiting(service, owner.user).post(STEP, form)
    assert answer.status_code == 401
    form["recovery_code"] = codes[0]
    answer = waiting(service, owner.user).post(STEP, form)
    assert answer.status_code == 303


def test_installation_without_a_key_offers_no_app(
    build: Build, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The account page has no section for it."""
    monkeypatch.delenv("SECRETS_KEY")
    service = build("session_db_auth", **SETTINGS)
    browser = signed_in_with_password(service, stored_user())
    assert FACTORS not in browser.get("/account").text
    assert browser.get(f"{FACTORS}/add").status_code == 404


@pytest.fixture
def recovered(service: Service, owner: Owner) -> Browser:
    """Return a browser that signed in with a recovery code."""
    browser = waiting(service, owner.user)
    form = {"use": "recovery", "recovery_code": owner.recovery[0]}
    assert browser.post(STEP, form).status_code == 303
    return browser


@pytest.mark.parametrize(
    "path", ["/", "/sign-in", "/account", "/account/sessions", "/admin"]
)
def test_recovered_session_is_led_to_its_page(
    recovered: Browser, path: str
) -> None:
    """The page says what to do, and no other page opens."""
    answer = recovered.get(path)
    assert answer.headers["Location"] == FACTORS
    page = recovered.follow(answer)
    assert page.status_code == 200
    assert "in place of the lost one" in page.text


def test_recovered_session_changes_nothing_else(
    recovered: Browser, owner: Owner
) -> None:
    """A form of another page is not carried out; the API refuses too."""
    form = {"first_name": "Eve", "last_name": ""}
    answer = recovered.post("/account/name", form)
    assert answer.headers["Location"] == FACTORS
    stored = User.get(owner.user.id)
    assert stored is not None and stored.first_name != "Eve"
    assert recovered.client.get(ME).status_code == 403
    verify = "/api/v1/auth_session/verify"
    assert recovered.client.get(verify).status_code in (401, 403)


def test_recovered_session_replaces_the_lost_app(
    recovered: Browser, owner: Owner
) -> None:
    """Neither password nor code is asked for; then every page opens."""
    page = begun(recovered)
    answer = confirmed(recovered, page)
    assert "was added" in recovered.follow(answer).text
    assert recovered.get("/account").status_code == 200
    path, form = f"{FACTORS}/remove", {"factor": owner.app_id}
    assert recovered.post(path, form).status_code == 303
    assert factors.count_apps(owner.user.id) == 1


def test_recovered_session_signs_out(recovered: Browser) -> None:
    """The page asks as always, and the session is gone after it."""
    assert "Sign out?" in recovered.get("/sign-out").text
    recovered.post("/sign-out")
    location = recovered.get(FACTORS).headers["Location"]
    assert location.startswith(SIGN_IN)


def test_recovered_session_ends_after_a_quarter_of_an_hour(
    recovered: Browser, set_clock: SetClock
) -> None:
    """Its page leads to the sign-in page, as without a session."""
    set_clock.advance(901)
    location = recovered.get(FACTORS).headers["Location"]
    assert location.startswith(SIGN_IN)
    assert recovered.get(SIGN_IN).status_code == 200


def test_app_is_renamed_on_its_page(
    service: Service, owner: Owner, set_clock: SetClock
) -> None:
    """The field has the present name; a refused one stays in it."""
    browser = signed_in(service, owner)
    path = f"{FACTORS}/rename"
    assert f"{path}?factor={owner.app_id}" in browser.get(FACTORS).text
    page = browser.get(f"{path}?factor={owner.app_id}")
    assert Page(page).fields()["name"]["value"] == "phone"
    form = {"factor": owner.app_id, "name": ""}
    assert browser.post(path, form).status_code == 400
    long = browser.post(path, form | {"name": "a" * 65})
    assert long.status_code == 400
    assert Page(long).fields()["name"]["value"] == "a" * 65
    done = browser.post(path, form | {"name": "<b>tablet</b>"})
    assert done.headers["Location"] == FACTORS
    shown = browser.get(FACTORS).text
    assert "&lt;b&gt;tablet&lt;/b&gt;" in shown
    set_clock.advance(301)
    assert browser.post(path, form | {"name": "x"}).status_code == 400
    proven = form | {"name": "x", "proof_code": owner.code()}
    password = form | {"name": "x", "password": PASSWORD}
    assert 303 in (
        browser.post(path, proven).status_code,
        browser.post(path, password).status_code,
    )
    assert "x" in [one.name for one in factors.of_user(owner.user.id)]


def test_factor_of_another_has_no_page_to_rename_it(
    service: Service, owner: Owner
) -> None:
    """Both the page and its form lead back to the list."""
    browser = signed_in_with_password(service, stored_user())
    path = f"{FACTORS}/rename"
    for factor in (owner.app_id, "unknown", "\0"):
        query = urlencode({"factor": factor})
        shown = browser.get(f"{path}?{query}")
        assert shown.headers["Location"] == FACTORS
        done = browser.post(path, {"factor": factor, "name": "stolen"})
        assert done.headers["Location"] == FACTORS
    assert "phone" in [one.name for one in factors.of_user(owner.user.id)]
