#!/usr/bin/env python3
"""The page of my activity: every event in words, by page."""

from datetime import timedelta

import pytest

from tests.app.api.conftest import Build
from tests.app.api.house import PASSWORD, House, stored_user
from tests.app.web.visitor import Page, Visitor
from tests.clocks import SetClock
from vestibule.audit.log import EventType
from vestibule.audit.writer import audit_writer
from vestibule.core import clock
from vestibule.db.events import Event, insert_events
from vestibule.db.models.user import User
from vestibule.web.activity import (
    MAX_EVENTS_SHOWN,
    describe_event,
    device_label,
)

PATH = "/account/activity"
EVIL = "<b onclick=alert(1)>\u202e" + "x" * 240


@pytest.fixture
def house(build: Build, moved_clock: SetClock) -> House:
    """Return a house with pages."""
    return build("session_db_auth", WEB_PAGES="on")


def signed_in(house: House, user: User, **headers: str) -> Visitor:
    """Return the browser of a user who is signed in."""
    visitor = Visitor(house, **headers)
    visitor.post("/sign-in", {"email": user.email, "password": PASSWORD})
    assert audit_writer().flush()
    return visitor


def shown(visitor: Visitor, path: str = PATH) -> str:
    """Return the words of the page, with single blanks."""
    answer = visitor.get(path)
    assert answer.status_code == 200
    return " ".join(Page(answer).text.split())


def test_what_people_do_is_there(house: House) -> None:
    """A failure, a login and an end, by device and address, newest first."""
    user = stored_user()
    Visitor(house).post("/sign-in", {"email": user.email, "password": "x"})
    here = signed_in(house, user, **{"User-Agent": "curl/8.5.0"})
    there = signed_in(house, user)
    there.post("/sign-out")
    assert audit_writer().flush()
    text = shown(here)
    places = [
        text.index(words)
        for words in (
            "Signed out",
            "Signed in 1 second ago · Unknown program",
            "Signed in 1 second ago · curl · 127.0.0.1",
            "A wrong password was entered Was it you?",
        )
    ]
    assert places == sorted(places)


def test_others_events_are_not_there(house: House) -> None:
    """Neither those of other users nor those of nobody."""
    user, other = stored_user(), stored_user()
    signed_in(house, other)
    Visitor(house).post(
        "/sign-in", {"email": "no@example.com", "password": "x"}
    )
    text = shown(signed_in(house, user))
    assert text.count("Signed in ") == 1
    assert "wrong password" not in text


def test_who_else_did_it_is_not_told(house: House) -> None:
    """That it was somebody else is; where an admin sits is not."""
    user = stored_user()
    insert_events(
        [
            Event(
                clock.now(),
                "sessions_revoked",
                user.id,
                "amy",
                "192.0.2.77",
                "192.0.2.77/32",
                "curl/8",
                None,
                None,
                3,
            )
        ]
    )
    text = shown(signed_in(house, user))
    assert "3 sessions were ended By an administrator" in text
    assert "192.0.2.77" not in text
    assert "amy" not in text


def test_sums_are_told(house: House) -> None:
    """Something that happened often is one line."""
    user = stored_user()
    insert_events(
        [
            Event(
                clock.now() - timedelta(days=2), "throttled", user.id, times=37
            )
        ]
    )
    text = shown(signed_in(house, user))
    assert "Too many failed attempts Was it you? 2 days ago · 37 times" in text


@pytest.mark.parametrize("language", ["en", "fr"])
@pytest.mark.parametrize("event", EventType)
def test_each_event_has_words(
    house: House, language: str, event: EventType
) -> None:
    """In both languages, and none of them is the name that programs use."""
    happening = Event(clock.now(), event.value, count=1)
    with house.app.test_request_context(headers={"Accept-Language": language}):
        words = describe_event(happening)
    assert words
    assert "_" not in words
    with house.app.test_request_context():
        assert (describe_event(happening) == words) == (language == "en")


def test_an_event_of_tomorrow_is_shown(house: House) -> None:
    """A newer version may have written one that this knows no words for."""
    user = stored_user()
    insert_events([Event(clock.now(), "passkey_added", user.id)])
    assert "passkey_added" in shown(signed_in(house, user))


def test_what_comes_from_outside_is_text(house: House) -> None:
    """In whatever field it was kept."""
    user = stored_user()
    insert_events(
        [
            Event(
                clock.now(), kind, user.id, None, EVIL, EVIL, EVIL, EVIL, EVIL
            )
            for kind in (*EventType, EVIL)
        ]
    )
    answer = signed_in(house, user).get(PATH)
    Page(answer)
    assert "<b " not in answer.text
    assert "<bdi>&lt;b onclick" in answer.text


def test_pages(house: House) -> None:
    """Each event once, and a way on and back."""
    user = stored_user()
    here = signed_in(house, user)
    now = clock.now()
    insert_events(
        [
            Event(now - timedelta(seconds=i), f"kind{i:03}", user.id)
            for i in range(1, 2 * MAX_EVENTS_SHOWN + 1)
        ]
    )
    seen: list[str] = []
    path, number = PATH, 0
    while path:
        answer = here.get(path)
        page = Page(answer)
        seen += [one for one in page.text.split() if one[:4] == "kind"]
        assert ("First page" in page.text) == (number > 0)
        number += 1
        path = next(
            (
                given["href"] or ""
                for tag, given in page.elements
                if tag == "a" and given.get("rel") == "next"
            ),
            "",
        )
    assert number == 3
    assert seen == [f"kind{i:03}" for i in range(1, 2 * MAX_EVENTS_SHOWN + 1)]


@pytest.mark.parametrize(
    "before", ["", "x", "-1", "9" * 18, "9" * 30, "%00", "1.5", "\u0661"]
)
def test_numbers_that_nobody_gave(house: House, before: str) -> None:
    """What is no number of ours is as if nothing were asked for."""
    here = signed_in(house, stored_user())
    text = shown(here, f"{PATH}?before={before}")
    assert "Signed in" in text


def test_there_may_be_nothing_older(house: House) -> None:
    """The page says so, and leads back."""
    text = shown(signed_in(house, stored_user()), f"{PATH}?before=1")
    assert "There are no older events. First page" in text


def test_nothing_is_kept(build: Build) -> None:
    """Then the page says that, and not that nothing happened."""
    house = build("session_db_auth", WEB_PAGES="on", EVENTS_KEPT="0")
    text = shown(signed_in(house, stored_user()))
    assert "does not record activity" in text
    assert "There are no events yet" not in text


def test_the_page_is_for_its_owner(house: House) -> None:
    """Who is not signed in is led to where one can."""
    answer = Visitor(house).get(PATH)
    assert answer.status_code == 303
    assert answer.headers["Location"].startswith("/sign-in?")


@pytest.mark.parametrize(
    ("program", "english", "french"),
    [
        (
            "Mozilla/5.0 (X11; Linux x86_64) Firefox/1",
            "Firefox on Linux",
            "Firefox sur Linux",
        ),
        ("curl/8", "curl", "curl"),
        (
            "okhttp/4 Android",
            "Android app on Android",
            "Application Android sur Android",
        ),
        ("?", "Unknown program", "Programme inconnu"),
        (None, "Unknown program", "Programme inconnu"),
    ],
)
def test_devices_in_words(
    house: House, program: str | None, english: str, french: str
) -> None:
    """Names stay, words are translated."""
    for language, words in (("en", english), ("fr", french)):
        with house.app.test_request_context(
            headers={"Accept-Language": language}
        ):
            assert device_label(program) == words
