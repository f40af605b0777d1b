#!/usr/bin/env python3
"""The page of my sessions: what it shows, ends, and keeps."""

import time
from datetime import timedelta

import pytest
from sqlalchemy import insert

from tests.app.api.conftest import Build
from tests.app.api.house import PASSWORD, WITH_SESSIONS, House, stored_user
from tests.app.web.visitor import Page, Visitor
from tests.clocks import SetClock
from tests.conftest import Serve
from tests.serving import COOKIE, Server
from vestibule.core import clock
from vestibule.db.drivers import sqlite_driver
from vestibule.db.engine import database
from vestibule.db.models.user import User
from vestibule.db.models.user_session import UserSession
from vestibule.db.tables import USER_SESSIONS
from vestibule.web.i18n import exact_time
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
def house(request: pytest.FixtureRequest, build: Build) -> House:
    """Return a house with pages, of each mechanism."""
    return build(request.param, WEB_PAGES="on")


def signed_in(house: House, user: User, program: str = FIREFOX) -> Visitor:
    """Return the browser of a user who is signed in by `program`."""
    visitor = Visitor(house, **{"User-Agent": program})
    answer = visitor.post(
        "/sign-in", {"email": user.email, "password": PASSWORD}
    )
    assert answer.status_code == 303
    return visitor


def handles(answer: Page) -> list[str]:
    """Return the sessions that a page offers to end."""
    return [
        given["value"] or ""
        for tag, given in answer.elements
        if tag == "input" and given["name"] == "session"
    ]


def live(house: House, user: User) -> int:
    """Return how many sessions a user has."""
    return len(house.mechanism.store.listed(user.id))


def fill(user: User, number: int) -> None:
    """Give a user so many sessions in the database."""
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


def test_this_device_comes_first_and_has_no_button(house: House) -> None:
    """In words, with a badge; the others follow, with a button each."""
    user = stored_user()
    here = signed_in(house, user)
    signed_in(house, user, IPHONE)
    answer = here.get(PATH)
    page = Page(answer)
    assert answer.status_code == 200
    own, _, rest = page.text.partition("Other sessions")
    assert "Firefox on Windows This session" in " ".join(own.split())
    assert "Safari on iPhone" in rest
    assert "127.0.0.1" in own
    assert "With a password" in own
    assert "one device may have several" in page.text
    (handle,) = handles(page)
    (other,) = [
        one
        for one in house.mechanism.store.listed(user.id)
        if one.user_agent == IPHONE
    ]
    assert handle == other.id


def test_moments_in_words_and_exactly(
    house: House, moved_clock: SetClock
) -> None:
    """How long ago, and the moment itself for whoever wants it."""
    user = stored_user()
    here = signed_in(house, user)
    moved_clock.advance(180)
    page = Page(here.get(PATH))
    assert "Signed in 3 minutes ago" in page.text
    times = [given for tag, given in page.elements if tag == "time"]
    assert times[0]["datetime"] == "2026-03-29T00:30:15.123457+00:00"
    assert times[0]["title"] == exact_time(
        moved_clock.moment.replace(minute=30), "en"
    )


def test_alone(house: House) -> None:
    """The only session: nothing to end, and the page says so."""
    page = Page(signed_in(house, stored_user()).get(PATH))
    assert "You have no other sessions." in page.text
    assert handles(page) == []
    assert "End all others" not in page.text


def test_one_is_ended(house: House) -> None:
    """At once; the other browser is out, this one is told so, once."""
    user = stored_user()
    here, there = (signed_in(house, user) for _ in range(2))
    (handle,) = handles(Page(here.get(PATH)))
    answer = here.follow(here.post(f"{PATH}/end", {"session": handle}))
    assert "The session was ended." in answer.text
    assert handles(Page(answer)) == []
    assert "The session was ended." not in here.get(PATH).text
    answer = there.get(PATH)
    assert answer.headers["Location"].startswith("/sign-in?")
    assert live(house, user) == 1


def test_one_that_is_gone_already(house: House) -> None:
    """A form that is sent twice, or late, is told so."""
    user = stored_user()
    here = signed_in(house, user)
    signed_in(house, user)
    (handle,) = handles(Page(here.get(PATH)))
    here.post(f"{PATH}/end", {"session": handle})
    for gone in (handle, "unknown", EVIL, "", "\0"):
        answer = here.post(f"{PATH}/end", {"session": gone})
        assert "had already ended" in here.follow(answer).text
    assert "already ended" in here.follow(here.post(f"{PATH}/end")).text
    assert live(house, user) == 1


def test_somebody_elses_is_not_ended(house: House) -> None:
    """A handle opens nothing; the answer is as for one that is gone."""
    bob, amy = stored_user(), stored_user()
    here = signed_in(house, bob)
    signed_in(house, amy)
    (foreign,) = house.mechanism.store.listed(amy.id)
    answer = here.post(f"{PATH}/end", {"session": foreign.id})
    assert "had already ended" in here.follow(answer).text
    assert live(house, amy) == 1


def test_the_own_is_not_ended_here(house: House) -> None:
    """Whoever wants that signs out."""
    user = stored_user()
    here = signed_in(house, user)
    (own,) = house.mechanism.store.listed(user.id)
    answer = here.post(f"{PATH}/end", {"session": own.id})
    assert answer.status_code == 400
    assert "To end it, sign out." in Page(answer).text
    assert live(house, user) == 1


def test_all_others_are_ended(house: House) -> None:
    """One stays, this one; a second time there are none."""
    user = stored_user()
    here = signed_in(house, user)
    for _ in range(3):
        signed_in(house, user)
    answer = here.follow(here.post(f"{PATH}/end-others"))
    assert "signed out everywhere else" in answer.text
    assert live(house, user) == 1
    answer = here.follow(here.post(f"{PATH}/end-others"))
    assert "There was no other session" in answer.text
    assert here.get(PATH).status_code == 200


@pytest.mark.parametrize("path", [f"{PATH}/end", f"{PATH}/end-others"])
def test_nobody_ends_anything_for_others(house: House, path: str) -> None:
    """Neither another site, nor somebody who is not signed in."""
    user = stored_user()
    here = signed_in(house, user)
    signed_in(house, user)
    (handle,) = handles(Page(here.get(PATH)))
    form = {"session": handle}
    for headers in (
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "", "Origin": "https://evil.example"},
    ):
        answer = here.post(path, form, headers=headers)
        assert answer.status_code == 403
        assert answer.mimetype == "text/html"
    answer = Visitor(house).post(path, form)
    assert answer.headers["Location"].startswith("/sign-in")
    assert here.get(path).status_code == 405
    assert live(house, user) == 2


def test_a_stale_session_ends_nothing(house: House) -> None:
    """A form of a browser whose own session ended leads to sign in."""
    user = stored_user()
    here, there = (signed_in(house, user) for _ in range(2))
    here.post(f"{PATH}/end-others")
    answer = there.post(f"{PATH}/end-others")
    assert answer.headers["Location"].startswith("/sign-in")
    assert live(house, user) == 1


@pytest.mark.parametrize("path", [f"{PATH}/end", f"{PATH}/end-others"])
def test_a_failure_is_told(
    build: Build, monkeypatch: pytest.MonkeyPatch, path: str
) -> None:
    """The list is still there, nothing is ended, one may try again."""
    monkeypatch.setenv("DATABASE_TIMEOUT", "50")
    house, user = build("session_db_auth", WEB_PAGES="on"), stored_user()
    here = signed_in(house, user)
    signed_in(house, user)
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
    assert live(house, user) == 2


def test_what_programs_call_themselves(house: House) -> None:
    """Markup and directions are text; a long one is no long line."""
    user = stored_user()
    here = signed_in(house, user)
    signed_in(house, user, EVIL.replace("\u202e", "") + " Windows")
    signed_in(house, user, "")
    answer = here.get(PATH)
    Page(answer)
    assert "<script>alert" not in answer.text
    assert answer.text.count("Unknown program") >= 2
    assert len(answer.data) < 20_000


def test_many_are_shown_by_page(build: Build, moved_clock: SetClock) -> None:
    """Each once, newest first; this one on the first page alone."""
    house, user = build("session_db_auth", WEB_PAGES="on"), stored_user()
    begun = []
    for i in range(2 * PAGE_ROWS + 5):
        moved_clock.advance(1)
        session = UserSession(
            user_id=user.id,
            session_id=f"s{i}",
            created_at=moved_clock.moment,
        )
        session.save()
        begun.append(session.id)
    here = signed_in(house, user)
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


def test_places_that_nobody_gave(house: House) -> None:
    """Whatever stands in the address, a page comes."""
    here = signed_in(house, stored_user())
    for place in ("x", "-", "1-x", "%00", "%ff", "0" * 2000, "%F0%9F%98%80"):
        assert here.get(f"{PATH}?place={place}").status_code == 200
    page = Page(here.get(f"{PATH}?place=1-x"))
    assert "Older sessions" in page.text


def test_what_is_dead_is_not_shown(
    build: Build, moved_clock: SetClock
) -> None:
    """Though it was not swept yet; and it leaves no empty page."""
    house = build(
        "session_db_auth", WEB_PAGES="on", SESSION_IDLE_TIMEOUT="100"
    )
    user = stored_user()
    old = [
        UserSession(
            user_id=user.id,
            session_id=f"s{i}",
            created_at=moved_clock.moment - timedelta(seconds=i),
            last_seen_at=moved_clock.moment
            + timedelta(seconds=0 if 0 < i < PAGE_ROWS + 5 else 150),
        )
        for i in range(PAGE_ROWS + 6)
    ]
    for session in old:
        session.save()
    moved_clock.advance(150)
    page = Page(signed_in(house, user).get(PATH))
    assert handles(page) == [old[0].id, old[-1].id]


def test_ten_thousand_cost_what_three_do(serve: Serve) -> None:
    """A page takes at most twice its time for three sessions."""
    server = serve(
        AUTH_TYPE="session_db_auth", SESSION_NAME=COOKIE, WEB_PAGES="on"
    )
    few, many = (_browser_of(server, number) for number in (3, 10_000))
    quickest = {few: 9.0, many: 9.0}
    for _ in range(40):
        # In turns, so that a busy machine is busy for both.
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
    """Return the cookie of a new user with so many sessions."""
    user = stored_user()
    fill(user, number - 1)
    return server.login(str(user.email), PASSWORD)
