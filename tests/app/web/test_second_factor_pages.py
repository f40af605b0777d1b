#!/usr/bin/env python3
"""The pages of second factors: signing in, enrolment, recovery."""

import base64
import html
import re
from collections.abc import Iterator
from urllib.parse import parse_qs, quote, urlsplit

import pytest
from werkzeug.test import TestResponse

from tests.app.api.conftest import Build
from tests.app.api.service import PASSWORD, Service, stored_user
from tests.app.web.browser import Browser, Page
from tests.app.web.browser import signed_in as signed_in_with_password
from tests.clocks import SetClock
from vestibule.accounts import totp
from vestibule.accounts.password_reset import issue_code
from vestibule.accounts.second_factors import begin_app, confirm_app
from vestibule.core import clock
from vestibule.core.encryption import new_key
from vestibule.db import factors
from vestibule.db.models.user import User
from vestibule.web.factors import qr_code

SIGN_IN = "/sign-in"
STEP = "/account/second-factor"
BACK = "/inbox?page=2"
ME = "/api/v1/users/me"
FACTORS = "/account/factors"
SETTINGS = {"WEB_PAGES": "on"}


class Owner:
    """A user with an app, and the codes that it shows."""

    def __init__(self, user: User | None = None) -> None:
        """Store the user with a confirmed app."""
        self.user = user or stored_user()
        app = begin_app(self.user, "phone")
        self.app_id = app.factor.id
        self.seed = base64.b32decode(app.key.replace(" ", ""))
        self.recovery = confirm_app(self.user, self.app_id, self.code())

    def code(self, offset: int = 0) -> str:
        """Return the code that the app shows, some steps from now."""
        return code_of(self.seed, offset)


def code_of(seed: bytes, offset: int = 0) -> str:
    """Return the code of a seed, some steps from now."""
    return totp.hotp(seed, totp.step_at(clock.now()) + offset)


@pytest.fixture(autouse=True)
def with_key(
    monkeypatch: pytest.MonkeyPatch, set_clock: SetClock
) -> Iterator[None]:
    """Set a key for secrets, and stop the clock."""
    monkeypatch.setenv("SECRETS_KEY", new_key())
    yield


@pytest.fixture
def owner(set_clock: SetClock) -> Owner:
    """Store a user with an app, whose next code is not used yet."""
    made = Owner()
    set_clock.advance(30)
    return made


def waiting(service: Service, user: User, **more: str) -> Browser:
    """Return a browser whose login waits for the second factor."""
    browser = Browser(service)
    form = {"email": str(user.email), "password": PASSWORD, **more}
    answer = browser.post(SIGN_IN, form)
    assert answer.status_code == 303
    assert urlsplit(answer.headers["Location"]).path == STEP
    return browser


def signed_in(service: Service, owner: Owner) -> Browser:
    """Return a browser that gave both factors."""
    browser = waiting(service, owner.user)
    answer = browser.post(STEP, {"code": owner.code()})
    assert answer.headers["Location"] == "/account"
    return browser


def test_right_password_leads_to_the_page_for_the_code(
    service: Service, owner: Owner
) -> None:
    """No session exists yet; the field suits phones."""
    browser = waiting(service, owner.user)
    assert browser.client.get(ME).status_code == 401
    field = Page(browser.get(STEP)).fields()["code"]
    assert field["autocomplete"] == "one-time-code"
    assert field["inputmode"] == "numeric"
    answer = browser.post(STEP, {"code": owner.code()})
    assert answer.headers["Location"] == "/account"
    assert browser.client.get(ME).get_json()["id"] == owner.user.id


def test_return_address_survives_each_step(
    service: Service, owner: Owner
) -> None:
    """Also a wrong code, and the change to a recovery code."""
    browser = Browser(service)
    form = {"email": str(owner.user.email), "password": PASSWORD}
    answer = browser.post(SIGN_IN, form | {"return_to": BACK})
    page = Page(browser.follow(answer))
    assert page.fields()["return_to"]["value"] == BACK
    links = [
        str(given["href"])
        for tag, given in page.elements
        if tag == "a" and "use=recovery" in str(given.get("href"))
    ]
    page = Page(browser.get(links[0]))
    assert page.fields()["return_to"]["value"] == BACK
    assert page.fields()["use"]["value"] == "recovery"
    answer = browser.post(STEP, {"code": "000000", "return_to": BACK})
    assert Page(answer).fields()["return_to"]["value"] == BACK
    answer = browser.post(STEP, {"code": owner.code(), "return_to": BACK})
    assert answer.headers["Location"] == BACK


def test_foreign_return_address_is_dropped(
    service: Service, owner: Owner
) -> None:
    """The second step follows no address that the first would not."""
    browser = waiting(service, owner.user)
    answer = browser.post(
        STEP, {"code": owner.code(), "return_to": "https://evil.example/"}
    )
    assert answer.headers["Location"] == "/account"


def test_wrong_code_is_refused_and_not_shown_again(
    service: Service, owner: Owner
) -> None:
    """The form has a message at its field, and the login still waits."""
    browser = waiting(service, owner.user)
    answer = browser.post(STEP, {"code": owner.code(5)})
    assert answer.status_code == 401
    assert "WWW-Authenticate" in answer.headers
    assert "This code is wrong" in answer.text
    assert owner.code(5) not in answer.text
    assert Page(answer).fields()["code"]["aria-invalid"] == "true"
    answer = browser.post(STEP, {})
    assert answer.status_code == 400
    assert browser.post(STEP, {"code": owner.code()}).status_code == 303


def test_used_code_is_refused(service: Service, owner: Owner) -> None:
    """A second browser cannot sign in with the same code."""
    code = owner.code()
    first = waiting(service, owner.user)
    second = waiting(service, owner.user)
    assert first.post(STEP, {"code": code}).status_code == 303
    assert second.post(STEP, {"code": code}).status_code == 401


def test_throttled_code_says_when_to_try_again(
    service: Service, owner: Owner
) -> None:
    """The page has the time in words, and the header the seconds."""
    browser = waiting(service, owner.user)
    for _ in range(6):
        browser.post(STEP, {"code": owner.code(5)})
    answer = browser.post(STEP, {"code": owner.code()})
    assert answer.status_code == 429
    assert answer.headers["Retry-After"] == "1"
    assert "1 second" in answer.text


def test_app_that_is_switched_off_leads_to_a_recovery_code(
    service: Service, owner: Owner, set_clock: SetClock
) -> None:
    """After fifty wrong codes the right one is refused too."""
    for _ in range(50):
        browser = waiting(service, owner.user)
        browser.post(STEP, {"code": owner.code(5)})
        set_clock.advance(900)
    browser = waiting(service, owner.user)
    answer = browser.post(STEP, {"code": owner.code()})
    assert answer.status_code == 403
    assert "switched off" in answer.text
    answer = browser.post(
        STEP, {"use": "recovery", "recovery_code": owner.recovery[0]}
    )
    assert answer.status_code == 303


def test_expired_login_starts_again(
    service: Service, owner: Owner, set_clock: SetClock
) -> None:
    """The sign-in page says why, and keeps the address to return to."""
    browser = waiting(service, owner.user)
    set_clock.advance(600)
    form = {"code": owner.code(), "return_to": BACK}
    answer = browser.post(STEP, form)
    assert answer.headers["Location"].startswith("/sign-in?return_to=")
    assert "took too long" in browser.follow(answer).text
    assert browser.client.get(ME).status_code == 401


@pytest.mark.parametrize("cookie", [None, "x", "a" * 43])
def test_page_without_a_waiting_login_leads_to_sign_in(
    service: Service, owner: Owner, cookie: str | None
) -> None:
    """A forged cookie is none; a right code does not help."""
    browser = Browser(service)
    if cookie is not None:
        browser.client.set_cookie("vestibule_login", cookie)
    assert browser.get(STEP).headers["Location"] == SIGN_IN
    answer = browser.post(STEP, {"code": owner.code()})
    assert answer.headers["Location"] == SIGN_IN
    assert browser.client.get(ME).status_code == 401


def test_form_of_another_site_continues_no_login(
    service: Service, owner: Owner
) -> None:
    """The right code does not help it, and is not used up."""
    browser = waiting(service, owner.user)
    answer = browser.post(
        STEP,
        {"code": owner.code()},
        headers={
            "Origin": "https://evil.example",
            "Sec-Fetch-Site": "cross-site",
        },
    )
    assert answer.status_code == 403
    assert browser.post(STEP, {"code": owner.code()}).status_code == 303


def test_recovery_code_works_once(service: Service, owner: Owner) -> None:
    """A code that was used is as wrong as any other."""
    form = {"use": "recovery", "recovery_code": owner.recovery[0].lower()}
    browser = waiting(service, owner.user)
    assert browser.post(STEP, form).status_code == 303
    assert factors.count_recovery_codes(owner.user.id) == 9
    answer = waiting(service, owner.user).post(STEP, form)
    assert answer.status_code == 401
    assert owner.recovery[0].lower() not in answer.text


def test_new_password_by_a_code_asks_for_the_second_factor(
    service: Service, owner: Owner
) -> None:
    """The reset page leads to the second step, and to no session."""
    browser = Browser(service)
    new = "a quite unusual phrase of words"
    answer = browser.post(
        "/reset",
        {
            "email": str(owner.user.email),
            "code": issue_code(owner.user).code,
            "new_password": new,
        },
    )
    assert answer.headers["Location"] == STEP
    assert browser.client.get(ME).status_code == 401
    assert browser.post(STEP, {"code": owner.code()}).status_code == 303
    assert browser.client.get(ME).status_code == 200


def test_second_step_is_in_french_too(service: Service, owner: Owner) -> None:
    """The language of the browser counts, as on every page."""
    browser = waiting(service, owner.user)
    browser.headers = browser.headers | {"Accept-Language": "fr"}
    assert "Code de votre application" in browser.get(STEP).text
    answer = browser.post(STEP, {"code": "000000"})
    assert "Ce code est faux" in answer.text


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
    assert User.get(owner.user.id).first_name != "Eve"  # type: ignore
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
