#!/usr/bin/env python3
"""Sign-in and sign-out on the pages."""

from typing import Any

import pytest

from tests.app.api.conftest import Build
from tests.app.api.service import (
    NEW,
    PASSWORD,
    Service,
    session_id_of,
    stored_user,
)
from tests.app.web.browser import Browser, Page
from tests.clocks import SetClock
from tests.serving import COOKIE
from vestibule.db.models.user import User
from vestibule.db.models.user_session import UserSession
from vestibule.sessions.session import EndReason

SIGN_IN = "/sign-in"
WRONG = "The email or the password is wrong."


def form_of(user: User, **more: str) -> dict[str, str]:
    """Return the sign-in form of a user."""
    return {"email": str(user.email), "password": PASSWORD, **more}


def signed_in(
    service: Service, user: User, browser: Browser | None = None
) -> Browser:
    """Return `browser`, or a new one, signed in as a user."""
    browser = browser or Browser(service)
    assert browser.post(SIGN_IN, form_of(user)).status_code == 303
    return browser


@pytest.mark.parametrize(
    "mechanism", ["session_auth", "session_exp_auth", "session_db_auth"]
)
def test_user_signs_in_and_out(build: Build, mechanism: str) -> None:
    """The user starts at the bare address and reaches the account."""
    service, user = build(mechanism, WEB_PAGES="on"), stored_user()
    browser = Browser(service)
    page = Page(browser.follow(browser.get("/")))
    assert page.fields()["password"]["autocomplete"] == "current-password"
    answer = browser.post(SIGN_IN, form_of(user))
    assert answer.headers["Location"] == "/account"
    assert "HttpOnly" in answer.headers["Set-Cookie"]
    assert browser.client.get("/api/v1/users/me").get_json()["id"] == user.id
    assert browser.get("/").headers["Location"] == "/account"
    session_id = session_id_of(browser.client)
    answer = browser.post("/sign-out")
    assert (
        service.client_with_session(session_id)
        .get("/api/v1/users/me")
        .status_code
        == 403
    )
    assert "Clear-Site-Data" not in answer.headers
    assert "You are signed out" in browser.follow(answer).text
    signed_in(service, user, browser)
    assert browser.get("/signed-out").headers["Location"] == "/account"
    browser.post("/sign-out")
    assert browser.client.get("/api/v1/users/me").status_code == 401


def test_failed_sign_in_has_one_message(service: Service) -> None:
    """Unknown email, wrong password and disabled user look the same."""
    known, disabled = stored_user(), stored_user()
    disabled.disabled_at = disabled.created_at
    disabled.save()
    texts = set()
    for email, password in (
        (known.email, "wrong"),
        ("unknown@example.com", PASSWORD),
        (disabled.email, PASSWORD),
        ("\0", PASSWORD),
        ("x" * 10_000, "x"),
        ("‮unknown", "‮"),
    ):
        answer = Browser(service).post(
            SIGN_IN, {"email": email, "password": password}
        )
        assert answer.status_code == 401
        assert answer.headers["WWW-Authenticate"].startswith("Cookie")
        page = Page(answer)
        assert page.fields()["email"]["value"] == email
        assert "value" not in page.fields()["password"]
        texts.add(page.text)
    assert len(texts) == 1
    assert WRONG in texts.pop()


@pytest.mark.parametrize("left_out", ["email", "password"])
def test_missing_sign_in_field_is_marked(
    service: Service, left_out: str
) -> None:
    """The form keeps what was typed."""
    form = form_of(stored_user())
    del form[left_out]
    answer = Browser(service).post(SIGN_IN, form)
    assert answer.status_code == 400
    page = Page(answer)
    fields = page.fields()
    assert fields[left_out]["aria-invalid"] == "true"
    assert fields[left_out]["aria-describedby"] == f"{left_out}-error"
    assert page.text.count("Please fill this in.") == 1
    assert fields["email"]["value"] == form.get("email", "")


def test_throttled_sign_in_shows_wait(
    build: Build, set_clock: SetClock
) -> None:
    """Page and header have the seconds; afterwards it works."""
    service = build("session_db_auth", WEB_PAGES="on", THROTTLE="on")
    user, browser = stored_user(), Browser(service)
    for _ in range(6):
        answer = browser.post(SIGN_IN, form_of(user, password="wrong"))
    assert answer.status_code == 429
    assert answer.headers["Retry-After"] == "1"
    assert "You can try again in 1 second." in Page(answer).text
    french = Browser(service, **{"Accept-Language": "fr-CH, en;q=0.5"})
    assert "dans 1\xa0seconde." in french.post(SIGN_IN, form_of(user)).text
    set_clock.advance(2)
    assert browser.post(SIGN_IN, form_of(user)).status_code == 303


def test_sign_in_page_shows_signed_in_user(service: Service) -> None:
    """A new sign-in replaces the session."""
    bob, eve = stored_user(), stored_user()
    eve.first_name = "<b>Eve"
    eve.save()
    browser = signed_in(service, bob)
    page = Page(browser.get(SIGN_IN))
    assert f"As {bob.email}." in page.text
    assert ("a", {"class": "button wide", "href": "/account"}) in (
        page.elements
    )
    assert browser.post(SIGN_IN, form_of(eve)).status_code == 303
    assert "As <b>Eve." in Page(browser.get(SIGN_IN)).text
    assert [one.user_id for one in UserSession.all()] == [eve.id]


def test_failed_sign_in_keeps_current_session(service: Service) -> None:
    """A typing error in another tab does not sign the user out."""
    user = stored_user()
    browser = signed_in(service, user)
    assert (
        browser.post(SIGN_IN, form_of(user, password="wrong")).status_code
        == 401
    )
    assert browser.client.get("/api/v1/users/me").status_code == 200


@pytest.mark.parametrize(
    ("reason", "words"),
    [
        (EndReason.REVOKED, "from another device"),
        (EndReason.REVOKED_BY_ADMIN, "An administrator"),
        (EndReason.PASSWORD_CHANGED, "Sign in with the new one"),
        (EndReason.IDLE_TIMEOUT, "away for a while"),
        (EndReason.EXPIRED, "has expired"),
        (EndReason.TOO_MANY_SESSIONS, "too many devices"),
    ],
)
def test_sign_in_page_shows_end_reason(
    service: Service, reason: EndReason, words: str
) -> None:
    """A browser with the cookie of an ended session reads the reason."""
    user = stored_user()
    browser = signed_in(service, user)
    service.mechanism.store.end_all(reason, user.id)
    answer = browser.get("/")
    assert words in Page(browser.follow(answer)).text
    # No other message is shown beside it.
    answer = browser.post(SIGN_IN, form_of(user, password="wrong"))
    assert words not in answer.text
    assert browser.post(SIGN_IN, form_of(user)).status_code == 303


def test_unknown_session_cookie_shows_no_reason(service: Service) -> None:
    """Without a cookie the page shows nothing."""
    stored_user()
    browser = Browser(service)
    assert "ended" not in browser.get(SIGN_IN).text
    browser.client.set_cookie(COOKIE, "made up")
    assert "Your session has ended." in browser.get(SIGN_IN).text


def test_form_without_session_redirects_to_sign_in(service: Service) -> None:
    """The action is not done."""
    user = stored_user()
    browser = signed_in(service, user)
    service.mechanism.store.end_all(EndReason.REVOKED, user.id)
    answer = browser.post("/sign-out")
    assert answer.headers["Location"] == "/signed-out"
    assert browser.post("/sign-out").status_code == 303
    assert "from another device" not in browser.get(SIGN_IN).text


def test_sign_in_form_sent_twice_leaves_one_session(service: Service) -> None:
    """The second session replaces the first."""
    user, browser = stored_user(), Browser(service)
    for _ in range(2):
        assert browser.post(SIGN_IN, form_of(user)).status_code == 303
    assert len(UserSession.all()) == 1


@pytest.mark.parametrize(
    "headers",
    [
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "", "Origin": "https://evil.example"},
        {"Sec-Fetch-Site": "", "Origin": "null"},
    ],
)
@pytest.mark.parametrize("path", [SIGN_IN, "/sign-out"])
def test_cross_site_sign_in_and_sign_out_are_refused(
    service: Service, path: str, headers: dict[str, str]
) -> None:
    """The browser gets an error page."""
    user = stored_user()
    browser = signed_in(service, user)
    stranger = Browser(service)
    for one in (browser, stranger):
        answer = one.post(path, form_of(user), headers=headers)
        assert answer.status_code == 403
        assert "This is not allowed" in Page(answer).text
        assert "Set-Cookie" not in answer.headers
    assert browser.client.get("/api/v1/users/me").status_code == 200


@pytest.mark.parametrize(
    ("address", "taken"),
    [
        ("/account/sessions?page=2", True),
        ("/", True),
        ("//evil.example", False),
        ("///evil.example", False),
        ("/\\evil.example", False),
        ("\\\\evil.example", False),
        ("/\t/evil.example", False),
        ("/\n/evil.example", False),
        (" //evil.example", False),
        ("https://evil.example/", False),
        ("https:evil.example", False),
        ("http:/\\evil.example", False),
        ("javascript:alert(1)", False),
        ("JaVaScRiPt:alert(1)", False),
        ("java\tscript:alert(1)", False),
        ("data:text/html,x", False),
        ("evil.example", False),
        ("@evil.example", False),
        ("?x", False),
        ("", False),
        ("/" + "x" * 10_000, False),
        ("/‮moc.live", False),
        ("/account\r\nSet-Cookie: a=b", False),
    ],
)
def test_return_address_must_be_own_path(
    service: Service, address: str, taken: bool
) -> None:
    """It holds in the address and in the form."""
    user, browser = stored_user(), Browser(service)
    page = Page(browser.get(SIGN_IN, query_string={"return_to": address}))
    shown = page.fields().get("return_to", {})
    assert shown.get("value") == (address if taken else None)
    for sent in (
        browser.post(SIGN_IN, form_of(user, return_to=address)),
        browser.post(
            SIGN_IN, form_of(user), query_string={"return_to": address}
        ),
    ):
        assert sent.headers["Location"] == (address if taken else "/account")
    page = Page(browser.get(SIGN_IN, query_string={"return_to": address}))
    ways = [
        given.get("href")
        for tag, given in page.elements
        if tag == "a" and given.get("class") == "button wide"
    ]
    assert ways == [address if taken else "/account"]


@pytest.mark.parametrize(
    "encoded",
    [
        "%2f%2fevil.example",
        "/%2fevil.example",
        "%5c%5cevil.example",
        "%252f%252fevil.example",
        "%6aavascript:alert(1)",
    ],
)
def test_encoded_return_address_stays_on_host(
    service: Service, encoded: str
) -> None:
    """It may be encoded once or twice."""
    user = stored_user()
    answer = Browser(service).post(
        f"{SIGN_IN}?return_to={encoded}", form_of(user)
    )
    assert answer.headers["Location"] in ("/account", "/%2fevil.example")


def test_return_address_survives_failed_sign_in(service: Service) -> None:
    """The user reaches the page after the second attempt."""
    user, browser = stored_user(), Browser(service)
    answer = browser.post(
        SIGN_IN, form_of(user, password="x", return_to="/account/sessions")
    )
    assert Page(answer).fields()["return_to"]["value"] == ("/account/sessions")


def test_allowed_return_host_is_redirected_to(build: Build) -> None:
    """The policy allows the form to end there, and nowhere else."""
    service = build(
        "session_db_auth",
        WEB_PAGES="on",
        ALLOWED_RETURN_HOSTS="app.example:8443",
    )
    user, browser = stored_user(), Browser(service)
    allowed = "https://app.example:8443"
    for back, ends, leads in (
        ("https://evil.example/", "'self'", "/account"),
        (f"{allowed}/x;y?z=/", f"'self' {allowed}", f"{allowed}/x;y?z=/"),
    ):
        asked = {"return_to": back}
        for answer in (
            browser.get(SIGN_IN, query_string=asked),
            browser.post(SIGN_IN, form_of(user, email="", **asked)),
        ):
            policy = answer.headers["Content-Security-Policy"]
            assert f" form-action {ends}; " in policy
        entering = Browser(service).post(SIGN_IN, form_of(user, **asked))
        assert entering.headers["Location"] == leads
    plain = browser.get("/nothing").headers["Content-Security-Policy"]
    assert " form-action 'self'; " in plain


def test_password_changed_during_sign_in_is_refused(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It was right when it was checked."""
    user = stored_user()
    create = service.mechanism.create_session

    def change_first(user_id: str) -> Any:
        """Start the session just after the password was changed."""
        user.password = NEW
        user.save()
        return create(user_id)

    monkeypatch.setattr(service.mechanism, "create_session", change_first)
    answer = Browser(service).post(SIGN_IN, form_of(user))
    assert answer.status_code == 401
    assert WRONG in answer.text
    assert UserSession.all() == []


def test_sign_in_without_session_name_shows_error(
    build: Build, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is the operator's fault, and no session starts."""
    service, user = build("session_db_auth", WEB_PAGES="on"), stored_user()
    monkeypatch.delenv("SESSION_NAME")
    answer = Browser(service).post(SIGN_IN, form_of(user))
    assert answer.status_code == 500
    assert "This is an error of the service" in Page(answer).text
    assert UserSession.all() == []


def test_oversized_sign_in_form_is_refused(service: Service) -> None:
    """It is refused before it is read."""
    user = stored_user()
    answer = Browser(service).post(
        SIGN_IN, form_of(user, password="x" * 100_000)
    )
    assert answer.status_code == 413
    assert "Request too large" in Page(answer).text


def test_signed_in_user_can_be_asked_for_password_again(
    service: Service,
) -> None:
    """An application that needs a recent password leads to the form."""
    here = signed_in(service, stored_user())
    for query, is_asked in (
        ("", False),
        ("again=no", False),
        ("again=on", True),
    ):
        page = Page(here.get(f"/sign-in?return_to=/export&{query}"))
        assert ("password" in page.fields()) is is_asked
        assert page.fields()["return_to"]["value"] == "/export"
