#!/usr/bin/env python3
"""The second step of signing in, as a page."""

import pytest

from tests.app.api.service import PASSWORD, Service
from tests.app.web.browser import Browser, Page
from tests.app.web.factor_pages import (
    BACK,
    ME,
    SIGN_IN,
    STEP,
    Owner,
    owner,
    signed_in,
    waiting,
    with_key,
)
from tests.clocks import SetClock
from vestibule.accounts.recovery import issue_code
from vestibule.accounts.users import set_role
from vestibule.db import factors

__all__ = ["owner", "with_key"]


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
    assert "Ce code est incorrect" in answer.text


@pytest.mark.parametrize(
    ("language", "by_code", "by_recovery"),
    [
        (
            "en",
            "password and code · level 2",
            "password and recovery code · level 1",
        ),
        (
            "fr",
            "mot de passe et code · niveau 2",
            "mot de passe et code de secours · niveau 1",
        ),
    ],
)
def test_lists_of_sessions_say_how_each_signed_in(
    service: Service,
    owner: Owner,
    language: str,
    by_code: str,
    by_recovery: str,
) -> None:
    """The user's own list, and those of admins."""
    browser = signed_in(service, owner)
    recovered = waiting(service, owner.user)
    recovered.post(
        STEP, {"use": "recovery", "recovery_code": owner.recovery[0]}
    )
    script = service.mechanism.create_session(owner.user.id)
    assert script
    browser.headers["Accept-Language"] = language
    set_role(owner.user, "admin")
    for path in (
        "/account/sessions",
        "/admin/sessions",
        f"/admin/users/{owner.user.id}",
    ):
        text = " ".join(Page(browser.get(path)).text.split())
        assert text.count(by_code) == 1, path
        assert text.count(by_recovery) == 1, path


def test_api_says_how_each_session_signed_in(
    service: Service, owner: Owner
) -> None:
    """The methods by their names in RFC 8176, and the level."""
    browser = signed_in(service, owner)
    for path in ("/api/v1/auth_session/sessions", "/api/v1/sessions"):
        shown = browser.client.get(path).get_json()
        (own,) = shown if isinstance(shown, list) else shown["sessions"]
        assert (own["methods"], own["level"]) == (["pwd", "otp"], 2)
        set_role(owner.user, "admin")
