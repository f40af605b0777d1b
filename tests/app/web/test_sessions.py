#!/usr/bin/env python3
"""The sessions page lists and ends the user's sessions."""

import time
from datetime import timedelta
from urllib.parse import parse_qs, urlsplit

import pytest
from sqlalchemy import insert

from tests.app.api.conftest import Build
from tests.app.api.service import PASSWORD, WITH_SESSIONS, Service, stored_user
from tests.app.web.browser import Browser, Page, signed_in
from tests.clocks import SetClock
from tests.conftest import Serve
from tests.serving import COOKIE, Server
from tests.stored_sessions import sessions_in
from vestibule.core import clock
from vestibule.db.drivers import sqlite_driver
from vestibule.db.engine import database
from vestibule.db.models.user import User
from vestibule.db.models.user_session import UserSession
from vestibule.db.tables import USER_SESSIONS
from vestibule.web.sessions import PAGE_ROWS

PATH = "/account/sessions"
FIREFOX = (
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:128.0) Gecko/20100101"
    " Firefox/128.0"
)
IPHONE = (
    "Mozilla/5.0 (iPhone; CPU iPhone OS 17_0 like Mac OS X)"
    " AppleWebKit/605.1.15 Version/17.0 Mobile/15E148 Safari/604.1"
)
EVIL = "<script>alert(1)</script>\u202e&amp;'\"" + "x" * 10_000


@pytest.fixture(params=WITH_SESSIONS)
def service(request: pytest.FixtureRequest, build: Build) -> Service:
    """Return a service with pages and each mechanism."""
    return build(request.param, WEB_PAGES="on")


def signed_in_by(
    service: Service, user: User, program: str = FIREFOX
) -> Browser:
    """Return a signed-in browser with this user agent."""
    return signed_in(service, user, **{"User-Agent": program})


def handles(answer: Page) -> list[str]:
    """Return the sessions that a page has a button to sign out for."""
    return [
        parse_qs(urlsplit(given["href"] or "").query)["session"][0]
        for tag, given in answer.elements
        if tag == "a" and (given["href"] or "").startswith(f"{PATH}/end?")
    ]


def live(service: Service, user: User) -> int:
    """Return how many sessions a user has."""
    return len(sessions_in(service.mechanism.store, user.id))


def fill(user: User, number: int) -> None:
    """Store this number of sessions of a user."""
    now = clock.now()
    with database().transaction() as connection:
        connection.execute(
            insert(USER_SESSIONS),
            [
                {
                    "id": f"{user.id}{i}",
                    "session_digest": f"{user.id}{i}",
                    "user_id": user.id,
                    "created_at": now - timedelta(i, 0, i),
                    "updated_at": now,
                    "last_seen_at": now,
                    "ip": "192.0.2.1",
                    "user_agent": FIREFOX,
                    "method": "password",
                }
                for i in range(number)
            ],
        )


def test_current_session_is_first_without_button(service: Service) -> None:
    """It has a badge; each other session has a button."""
    user = stored_user()
    here = signed_in_by(service, user)
    signed_in_by(service, user, IPHONE)
    answer = here.get(PATH)
    page = Page(answer)
    assert answer.status_code == 200
    own, _, rest = page.text.partition("Other sessions")
    assert "Firefox on Windows This session" in " ".join(own.split())
    assert "Safari on iPhone" in rest
    assert "127.0.0.1" in own
    assert "one device may have several" in page.text
    (handle,) = handles(page)
    (other,) = [
        one
        for one in sessions_in(service.mechanism.store, user.id)
        if one.user_agent == IPHONE
    ]
    assert handle == other.id


def test_session_times_are_exact_and_relative(
    service: Service, set_clock: SetClock
) -> None:
    """They are in the zone that the page names."""
    user = stored_user()
    here = signed_in_by(service, user)
    set_clock.advance(180)
    page = Page(here.get(PATH))
    assert "Signed in 2026-03-29 00:30:15 · Last seen" in page.text
    assert "(1 second ago)" in page.text
    times = [given for tag, given in page.elements if tag == "time"]
    assert times[0]["datetime"] == "2026-03-29T00:30:15+00:00"
    assert times[0]["title"] == "3 minutes ago"
    assert "Times: UTC" in page.text


def test_only_session_has_nothing_to_end(service: Service) -> None:
    """The page says so."""
    page = Page(signed_in_by(service, stored_user()).get(PATH))
    assert "You have no other sessions." in page.text
    assert handles(page) == []
    assert "Sign out all other sessions" not in page.text


def test_user_ends_one_session(service: Service) -> None:
    """It ends at once, and a message says so once."""
    user = stored_user()
    here, there = (signed_in_by(service, user) for _ in range(2))
    (handle,) = handles(Page(here.get(PATH)))
    answer = here.follow(here.post(f"{PATH}/end", {"session": handle}))
    assert "The session was signed out." in answer.text
    assert handles(Page(answer)) == []
    assert "The session was signed out." not in here.get(PATH).text
    answer = there.get(PATH)
    assert answer.headers["Location"].startswith("/sign-in?")
    assert live(service, user) == 1


def test_ending_ended_session_says_so(service: Service) -> None:
    """The form was sent twice, or late."""
    user = stored_user()
    here = signed_in_by(service, user)
    signed_in_by(service, user)
    (handle,) = handles(Page(here.get(PATH)))
    here.post(f"{PATH}/end", {"session": handle})
    for gone in (handle, "unknown", EVIL, "", "\0"):
        answer = here.post(f"{PATH}/end", {"session": gone})
        assert "had already ended" in here.follow(answer).text
    assert "already ended" in here.follow(here.post(f"{PATH}/end")).text
    assert live(service, user) == 1


def test_foreign_session_is_not_ended(service: Service) -> None:
    """The response is that for an ended session."""
    bob, amy = stored_user(), stored_user()
    here = signed_in_by(service, bob)
    signed_in_by(service, amy)
    (foreign,) = sessions_in(service.mechanism.store, amy.id)
    answer = here.post(f"{PATH}/end", {"session": foreign.id})
    assert "had already ended" in here.follow(answer).text
    assert live(service, amy) == 1


def test_current_session_cannot_be_ended_from_list(service: Service) -> None:
    """The user signs out instead."""
    user = stored_user()
    here = signed_in_by(service, user)
    (own,) = sessions_in(service.mechanism.store, user.id)
    answer = here.post(f"{PATH}/end", {"session": own.id})
    assert answer.status_code == 400
    assert "To end it, sign out." in Page(answer).text
    assert live(service, user) == 1


def test_user_ends_all_other_sessions(service: Service) -> None:
    """A second time there are none left."""
    user = stored_user()
    here = signed_in_by(service, user)
    for _ in range(3):
        signed_in_by(service, user)
    answer = here.follow(here.post(f"{PATH}/end-others"))
    assert "signed out everywhere else" in answer.text
    assert live(service, user) == 1
    answer = here.follow(here.post(f"{PATH}/end-others"))
    assert "There was no other session to sign out" in answer.text
    assert here.get(PATH).status_code == 200


@pytest.mark.parametrize("path", [f"{PATH}/end", f"{PATH}/end-others"])
def test_session_forms_refuse_cross_site_and_anonymous_posts(
    service: Service, path: str
) -> None:
    """No session ends."""
    user = stored_user()
    here = signed_in_by(service, user)
    signed_in_by(service, user)
    (handle,) = handles(Page(here.get(PATH)))
    form = {"session": handle}
    for headers in (
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "", "Origin": "https://evil.example"},
    ):
        answer = here.post(path, form, headers=headers)
        assert answer.status_code == 403
        assert answer.mimetype == "text/html"
    answer = Browser(service).post(path, form)
    assert answer.headers["Location"].startswith("/sign-in")
    assert here.get(path, query_string=form).status_code == 200
    assert live(service, user) == 2


def test_form_of_ended_session_ends_nothing(service: Service) -> None:
    """The browser is redirected to sign in."""
    user = stored_user()
    here, there = (signed_in_by(service, user) for _ in range(2))
    here.post(f"{PATH}/end-others")
    answer = there.post(f"{PATH}/end-others")
    assert answer.headers["Location"].startswith("/sign-in")
    assert live(service, user) == 1


@pytest.mark.parametrize("path", [f"{PATH}/end", f"{PATH}/end-others"])
def test_failed_revocation_shows_error_and_list(
    build: Build, monkeypatch: pytest.MonkeyPatch, path: str
) -> None:
    """No session ended, and the user may try again."""
    # Events are written in another thread, which may hold the lock for long.
    monkeypatch.setenv("DATABASE_TIMEOUT", "1000")
    service, user = build("session_db_auth", WEB_PAGES="on"), stored_user()
    here = signed_in_by(service, user)
    signed_in_by(service, user)
    (handle,) = handles(Page(here.get(PATH)))
    other = sqlite_driver().connect(
        database().url.database, isolation_level=None
    )
    other.execute("BEGIN IMMEDIATE")
    try:
        answer = here.post(path, {"session": handle})
    finally:
        other.execute("ROLLBACK")
        other.close()
    assert answer.status_code == 503
    assert answer.headers["Retry-After"] == "1"
    page = Page(answer)
    assert "could not be done right now" in page.text
    assert handles(page) == [handle]
    assert live(service, user) == 2


def test_user_agent_is_escaped_and_truncated(service: Service) -> None:
    """Markup and direction marks are shown as text."""
    user = stored_user()
    here = signed_in_by(service, user)
    signed_in_by(service, user, EVIL.replace("\u202e", "") + " Windows")
    signed_in_by(service, user, "")
    answer = here.get(PATH)
    Page(answer)
    assert "<script>alert" not in answer.text
    assert answer.text.count("Unknown program") >= 2
    assert len(answer.data) < 20_000


def test_session_pages_have_each_session_once(
    build: Build, set_clock: SetClock
) -> None:
    """The newest come first; the current one is on the first page only."""
    service, user = build("session_db_auth", WEB_PAGES="on"), stored_user()
    begun = []
    for i in range(2 * PAGE_ROWS + 5):
        set_clock.advance(1)
        session = UserSession(
            user_id=user.id,
            session_id=f"s{i}",
            created_at=set_clock.moment,
        )
        session.save()
        begun.append(session.id)
    here = signed_in_by(service, user)
    seen, path, pages = [], PATH, 0
    while path:
        page = Page(here.get(path))
        seen += handles(page)
        assert ("This session" in page.text) == (pages == 0)
        assert ("First page" in page.text) == (pages > 0)
        pages += 1
        path = next(
            (
                given["href"] or ""
                for tag, given in page.elements
                if tag == "a" and given.get("rel") == "next"
            ),
            "",
        )
    assert seen == begun[::-1]
    assert pages == 3


def test_invalid_session_cursor_shows_a_page(service: Service) -> None:
    """Any cursor in the address gives a page."""
    here = signed_in_by(service, stored_user())
    for place in ("x", "-", "1-x", "%00", "%ff", "0" * 2000, "%F0%9F%98%80"):
        assert here.get(f"{PATH}?place={place}").status_code == 200
    page = Page(here.get(f"{PATH}?place=1-x"))
    assert "Older sessions" in page.text


def test_expired_session_is_not_listed(
    build: Build, set_clock: SetClock
) -> None:
    """It was not swept yet; it leaves no empty page."""
    service = build(
        "session_db_auth", WEB_PAGES="on", SESSION_IDLE_TIMEOUT="100"
    )
    user = stored_user()
    old = [
        UserSession(
            user_id=user.id,
            session_id=f"s{i}",
            created_at=set_clock.moment - timedelta(seconds=i),
            last_seen_at=set_clock.moment
            + timedelta(seconds=0 if 0 < i < PAGE_ROWS + 5 else 150),
        )
        for i in range(PAGE_ROWS + 6)
    ]
    for session in old:
        session.save()
    set_clock.advance(150)
    page = Page(signed_in_by(service, user).get(PATH))
    assert handles(page) == [old[0].id, old[-1].id]


@pytest.mark.slow
def test_page_of_ten_thousand_sessions_costs_like_three(serve: Serve) -> None:
    """It takes at most twice the time."""
    server = serve(
        AUTH_TYPE="session_db_auth", SESSION_NAME=COOKIE, WEB_PAGES="on"
    )
    few, many = (_browser_of(server, number) for number in (3, 10_000))
    quickest = {few: 9.0, many: 9.0}
    for _ in range(40):
        # In turns, so that load on the machine affects both.
        for cookie, before in quickest.items():
            began = time.perf_counter()
            answer = server.request("GET", PATH, cookie)
            took = time.perf_counter() - began
            assert answer.status_code == 200
            quickest[cookie] = min(before, took)
    assert "Next page" in answer.text
    ratio = quickest[many] / quickest[few]
    assert ratio < 2, f"{ratio:.2f} times"


def _browser_of(server: Server, number: int) -> str:
    """Return the cookie of a new user with this number of sessions."""
    user = stored_user()
    fill(user, number - 1)
    return server.login(str(user.email), PASSWORD)
