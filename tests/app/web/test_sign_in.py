#!/usr/bin/env python3
"""Signing in and out on the pages."""

from typing import Any

import pytest

from tests.app.api.conftest import Build
from tests.app.api.house import (
    NEW,
    PASSWORD,
    House,
    session_id_of,
    stored_user,
)
from tests.app.web.visitor import Page, Visitor
from tests.clocks import SetClock
from vestibule.db.models.user import User
from vestibule.db.models.user_session import UserSession
from vestibule.sessions.session import EndReason

SIGN_IN = "/sign-in"
WRONG = "The email or the password is wrong."


@pytest.fixture
def house(build: Build) -> House:
    """Return a house with pages."""
    return build("session_db_auth", WEB_PAGES="on")


def form_of(user: User, **more: str) -> dict[str, str]:
    """Return what a user types to sign in."""
    return {"email": str(user.email), "password": PASSWORD, **more}


def signed_in(
    house: House, user: User, visitor: Visitor | None = None
) -> Visitor:
    """Return the browser of a user who is signed in; a new one, or this."""
    visitor = visitor or Visitor(house)
    assert visitor.post(SIGN_IN, form_of(user)).status_code == 303
    return visitor


@pytest.mark.parametrize(
    "mechanism", ["session_auth", "session_exp_auth", "session_db_auth"]
)
def test_in_and_out(build: Build, mechanism: str) -> None:
    """From the bare address to the account, and out again."""
    house, user = build(mechanism, WEB_PAGES="on"), stored_user()
    visitor = Visitor(house)
    page = Page(visitor.follow(visitor.get("/")))
    assert page.fields()["password"]["autocomplete"] == "current-password"
    answer = visitor.post(SIGN_IN, form_of(user))
    assert answer.headers["Location"] == "/account"
    assert "HttpOnly" in answer.headers["Set-Cookie"]
    assert visitor.client.get("/api/v1/users/me").get_json()["id"] == user.id
    assert visitor.get("/").headers["Location"] == "/account"
    session_id = session_id_of(visitor.client)
    answer = visitor.post("/sign-out")
    assert house.holder(session_id).get("/api/v1/users/me").status_code == 403
    assert answer.headers["Clear-Site-Data"] == '"cache", "storage"'
    assert "You are signed out" in visitor.follow(answer).text
    signed_in(house, user, visitor)
    assert visitor.get("/signed-out").headers["Location"] == "/"
    visitor.post("/sign-out")
    assert visitor.client.get("/api/v1/users/me").status_code == 401


def test_whatever_is_wrong_the_page_says_the_same(house: House) -> None:
    """An unknown email, a wrong password and a disabled user."""
    known, disabled = stored_user(), stored_user()
    disabled.disabled_at = disabled.created_at
    disabled.save()
    texts = set()
    for email, password in (
        (known.email, "wrong"),
        ("nobody@example.com", PASSWORD),
        (disabled.email, PASSWORD),
        ("\0", PASSWORD),
        ("x" * 10_000, "x"),
        ("‮nobody", "‮"),
    ):
        answer = Visitor(house).post(
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
def test_a_missing_field_is_asked_for(house: House, left_out: str) -> None:
    """The form comes back with what was typed, and says what to fill in."""
    form = form_of(stored_user())
    del form[left_out]
    answer = Visitor(house).post(SIGN_IN, form)
    assert answer.status_code == 400
    page = Page(answer)
    fields = page.fields()
    assert fields[left_out]["aria-invalid"] == "true"
    assert fields[left_out]["aria-describedby"] == f"{left_out}-error"
    assert page.text.count("Please fill this in.") == 1
    assert fields["email"]["value"] == form.get("email", "")


def test_who_must_wait_is_told_how_long(
    build: Build, moved_clock: SetClock
) -> None:
    """The seconds stand on the page and in the header; then it works."""
    house = build("session_db_auth", WEB_PAGES="on", THROTTLE="on")
    user, visitor = stored_user(), Visitor(house)
    for _ in range(6):
        answer = visitor.post(SIGN_IN, form_of(user, password="wrong"))
    assert answer.status_code == 429
    assert answer.headers["Retry-After"] == "1"
    assert "You can try again in 1 second." in Page(answer).text
    french = Visitor(house, **{"Accept-Language": "fr-CH, en;q=0.5"})
    assert "dans 1\xa0seconde." in french.post(SIGN_IN, form_of(user)).text
    moved_clock.advance(2)
    assert visitor.post(SIGN_IN, form_of(user)).status_code == 303


def test_who_is_signed_in_is_told_as_whom(house: House) -> None:
    """The page offers to go on, or to change; a new sign-in replaces."""
    bob, eve = stored_user(), stored_user()
    eve.first_name = "<b>Eve"
    eve.save()
    visitor = signed_in(house, bob)
    page = Page(visitor.get(SIGN_IN))
    assert f"As {bob.email}." in page.text
    assert ("a", {"class": "button wide", "href": "/account"}) in (
        page.elements
    )
    assert visitor.post(SIGN_IN, form_of(eve)).status_code == 303
    assert "As <b>Eve." in Page(visitor.get(SIGN_IN)).text
    assert [one.user_id for one in UserSession.all()] == [eve.id]


def test_a_failed_sign_in_leaves_the_session_alone(house: House) -> None:
    """Who mistypes in another tab is not signed out."""
    user = stored_user()
    visitor = signed_in(house, user)
    assert (
        visitor.post(SIGN_IN, form_of(user, password="wrong")).status_code
        == 401
    )
    assert visitor.client.get("/api/v1/users/me").status_code == 200


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
def test_why_a_session_ended(
    house: House, reason: EndReason, words: str
) -> None:
    """Who comes back with what is left of it reads why, at the next click."""
    user = stored_user()
    visitor = signed_in(house, user)
    house.mechanism.store.end_all(reason, user.id)
    answer = visitor.get("/")
    assert words in Page(visitor.follow(answer)).text
    # It stands beside no other news.
    answer = visitor.post(SIGN_IN, form_of(user, password="wrong"))
    assert words not in answer.text
    assert visitor.post(SIGN_IN, form_of(user)).status_code == 303


def test_an_unknown_session_just_has_ended(house: House) -> None:
    """A made-up cookie is told nothing; no cookie, nothing at all."""
    stored_user()
    visitor = Visitor(house)
    assert "ended" not in visitor.get(SIGN_IN).text
    visitor.client.set_cookie("_my_session_id", "made up")
    assert "Your session has ended." in visitor.get(SIGN_IN).text


def test_a_stale_form_leads_to_sign_in(house: House) -> None:
    """What needs a session and is posted without, is not done."""
    user = stored_user()
    visitor = signed_in(house, user)
    house.mechanism.store.end_all(EndReason.REVOKED, user.id)
    answer = visitor.post("/sign-out")
    assert answer.headers["Location"] == "/signed-out"
    assert visitor.post("/sign-out").status_code == 303
    assert "from another device" not in visitor.get(SIGN_IN).text


def test_a_form_that_is_sent_twice_is_one_session(house: House) -> None:
    """The second one replaces what the first one began."""
    user, visitor = stored_user(), Visitor(house)
    for _ in range(2):
        assert visitor.post(SIGN_IN, form_of(user)).status_code == 303
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
def test_another_site_changes_nothing(
    house: House, path: str, headers: dict[str, str]
) -> None:
    """A form of another site neither signs in nor out; a page says so."""
    user = stored_user()
    visitor = signed_in(house, user)
    stranger = Visitor(house)
    for one in (visitor, stranger):
        answer = one.post(path, form_of(user), headers=headers)
        assert answer.status_code == 403
        assert "This is not allowed" in Page(answer).text
        assert "Set-Cookie" not in answer.headers
    assert visitor.client.get("/api/v1/users/me").status_code == 200


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
def test_only_a_path_of_this_host_is_returned_to(
    house: House, address: str, taken: bool
) -> None:
    """Whether it stands in the address or in the form."""
    user, visitor = stored_user(), Visitor(house)
    page = Page(visitor.get(SIGN_IN, query_string={"return_to": address}))
    shown = page.fields().get("return_to", {})
    assert shown.get("value") == (address if taken else None)
    for sent in (
        visitor.post(SIGN_IN, form_of(user, return_to=address)),
        visitor.post(
            SIGN_IN, form_of(user), query_string={"return_to": address}
        ),
    ):
        assert sent.headers["Location"] == (address if taken else "/account")
    page = Page(visitor.get(SIGN_IN, query_string={"return_to": address}))
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
def test_what_is_encoded_leads_nowhere_else(
    house: House, encoded: str
) -> None:
    """Encoded once by the browser, or twice: never to another host."""
    user = stored_user()
    answer = Visitor(house).post(
        f"{SIGN_IN}?return_to={encoded}", form_of(user)
    )
    assert answer.headers["Location"] in ("/account", "/%2fevil.example")


def test_a_way_back_survives_a_mistake(house: House) -> None:
    """Who mistypes once still gets to where they wanted."""
    user, visitor = stored_user(), Visitor(house)
    answer = visitor.post(
        SIGN_IN, form_of(user, password="x", return_to="/account/sessions")
    )
    assert Page(answer).fields()["return_to"]["value"] == ("/account/sessions")


def test_another_host_is_led_to_if_it_may_be(build: Build) -> None:
    """The policy allows the form to end there, and nowhere else."""
    house = build(
        "session_db_auth",
        WEB_PAGES="on",
        ALLOWED_RETURN_HOSTS="app.example:8443",
    )
    user, visitor = stored_user(), Visitor(house)
    allowed = "https://app.example:8443"
    for back, ends, leads in (
        ("https://evil.example/", "'self'", "/account"),
        (f"{allowed}/x;y?z=/", f"'self' {allowed}", f"{allowed}/x;y?z=/"),
    ):
        asked = {"return_to": back}
        for answer in (
            visitor.get(SIGN_IN, query_string=asked),
            visitor.post(SIGN_IN, form_of(user, email="", **asked)),
        ):
            policy = answer.headers["Content-Security-Policy"]
            assert f" form-action {ends}; " in policy
        entering = Visitor(house).post(SIGN_IN, form_of(user, **asked))
        assert entering.headers["Location"] == leads
    plain = visitor.get("/nothing").headers["Content-Security-Policy"]
    assert " form-action 'self'; " in plain


def test_a_password_that_changes_meanwhile_is_wrong(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was right when it was checked, and is not any more."""
    user = stored_user()
    create = house.mechanism.create_session

    def change_first(user_id: str) -> Any:
        """Begin the session just after somebody changed the password."""
        user.password = NEW
        user.save()
        return create(user_id)

    monkeypatch.setattr(house.mechanism, "create_session", change_first)
    answer = Visitor(house).post(SIGN_IN, form_of(user))
    assert answer.status_code == 401
    assert WRONG in answer.text
    assert UserSession.all() == []


def test_without_a_cookie_name_nobody_gets_in(
    build: Build, monkeypatch: pytest.MonkeyPatch
) -> None:
    """That is the operator's fault, and no session is begun."""
    house, user = build("session_db_auth", WEB_PAGES="on"), stored_user()
    monkeypatch.delenv("SESSION_NAME")
    answer = Visitor(house).post(SIGN_IN, form_of(user))
    assert answer.status_code == 500
    assert "This is an error of the service" in Page(answer).text
    assert UserSession.all() == []


def test_a_form_too_large_is_refused(house: House) -> None:
    """A megabyte of a password is read by nobody."""
    user = stored_user()
    answer = Visitor(house).post(
        SIGN_IN, form_of(user, password="x" * 100_000)
    )
    assert answer.status_code == 413
    assert "Too much data" in Page(answer).text
