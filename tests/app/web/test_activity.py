#!/usr/bin/env python3
"""The activity page: events with labels, in pages."""

from datetime import timedelta

import pytest

from tests.app.api.conftest import Build
from tests.app.api.service import Service, stored_user
from tests.app.web.browser import Browser, Page, signed_in
from tests.clocks import SetClock
from vestibule.audit.log import EventType
from vestibule.audit.writer import audit_writer
from vestibule.core import clock
from vestibule.db.events import Event, insert_events
from vestibule.db.factors import PASSKEY, TOTP
from vestibule.db.models.user import User
from vestibule.sessions import facts
from vestibule.web import activity
from vestibule.web.activity import (
    MAX_EVENTS_SHOWN,
    describe_event,
    device_label,
)

PATH = "/account/activity"
EVIL = "<b onclick=alert(1)>\u202e" + "x" * 240


@pytest.fixture
def service(build: Build, set_clock: SetClock) -> Service:
    """Return a service with pages."""
    return build("session_db_auth", WEB_PAGES="on")


def with_stored_events(
    service: Service, user: User, **headers: str
) -> Browser:
    """Return the browser of a signed-in user whose events are stored."""
    browser = signed_in(service, user, **headers)
    assert audit_writer().flush()
    return browser


def shown(browser: Browser, path: str = PATH) -> str:
    """Return the page's text with single spaces."""
    answer = browser.get(path)
    assert answer.status_code == 200
    return " ".join(Page(answer).text.split())


def test_activity_lists_events_newest_first(service: Service) -> None:
    """Each shows the device and the address."""
    user = stored_user()
    Browser(service).post("/sign-in", {"email": user.email, "password": "x"})
    here = with_stored_events(service, user, **{"User-Agent": "curl/8.5.0"})
    there = with_stored_events(service, user)
    there.post("/sign-out")
    assert audit_writer().flush()
    text = shown(here)
    places = [
        text.index(words)
        for words in (
            "Signed out",
            "(1 second ago) · Unknown program",
            "(1 second ago) · curl · 127.0.0.1",
            "A wrong password was entered Was it you?",
        )
    ]
    assert places == sorted(places)


def test_activity_hides_events_of_others(service: Service) -> None:
    """Events without a user are hidden too."""
    user, other = stored_user(), stored_user()
    with_stored_events(service, other)
    Browser(service).post(
        "/sign-in", {"email": "no@example.com", "password": "x"}
    )
    text = shown(with_stored_events(service, user))
    assert text.count("Signed in ") == 1
    assert "wrong password" not in text


def test_activity_hides_who_else_acted(service: Service) -> None:
    """It says that another person acted, and not from where."""
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
    text = shown(with_stored_events(service, user))
    assert "3 sessions were signed out By an administrator" in text
    assert "192.0.2.77" not in text
    assert "amy" not in text


def test_repeated_event_is_one_line_with_count(service: Service) -> None:
    """The line shows how often it happened."""
    user = stored_user()
    insert_events(
        [
            Event(
                clock.now() - timedelta(days=2), "throttled", user.id, times=37
            )
        ]
    )
    text = shown(with_stored_events(service, user))
    assert "(2 days ago) · 37 times" in text


def test_what_was_not_the_user_has_a_way_on(service: Service) -> None:
    """A password to change, and a session that is still live to end."""
    user = stored_user()
    Browser(service).post("/sign-in", {"email": user.email, "password": "x"})
    there = with_stored_events(service, user)
    here = with_stored_events(service, user)
    links = [
        str(given["href"])
        for tag, given in Page(here.get(PATH)).elements
        if tag == "a" and "href" in given
    ]
    # The sentence above the list, and "Was it you?".
    assert links.count("/account/password") == 2
    (link,) = (each for each in links if "/not-me?" in each)
    asked = Page(here.get(link))
    assert "This wasn't you?" in asked.text
    session = str(asked.fields()["session"]["value"])
    here.post(link, {"session": session})
    assert there.get("/account").status_code == 303
    assert here.get("/account").status_code == 200
    assert "/not-me?" not in here.get(PATH).text


def test_times_of_a_member_are_in_the_chosen_zone(
    service: Service, set_clock: SetClock
) -> None:
    """Each page names it; the choice leads back and changes nothing else."""
    browser = with_stored_events(service, stored_user())
    utc = f"{clock.now():%Y-%m-%d %H:%M:%S}"
    for path in (PATH, "/account/sessions"):
        text = shown(browser, path)
        assert utc in text and "Times: UTC" in text
    form = {"zone": "Asia/Kolkata", "shown_page": PATH}
    answer = browser.post("/account/preferences", form)
    assert answer.headers["Location"] == PATH
    assert len(answer.headers.getlist("Set-Cookie")) == 1
    there = clock.now() + timedelta(hours=5, minutes=30)
    text = shown(browser)
    assert f"{there:%Y-%m-%d %H:%M:%S}" in text
    assert "Times: Asia/Kolkata" in text
    browser.post("/account/preferences", form | {"zone": "Moon/Sea"})
    assert "Times: Asia/Kolkata" in shown(browser)


def test_each_event_has_a_label(service: Service) -> None:
    """No label is the internal name, and each has a translation."""
    for event in EventType:
        event_shown = Event(clock.now(), event.value, count=1)
        labels = []
        for language in ("en", "fr"):
            with service.app.test_request_context(
                headers={"Accept-Language": language}
            ):
                labels.append(describe_event(event_shown))
        assert all(labels)
        assert not any("_" in label for label in labels), labels
        assert labels[0] != labels[1]


def test_unknown_event_is_shown(service: Service) -> None:
    """A newer version may have written it."""
    user = stored_user()
    insert_events([Event(clock.now(), "passkey_added", user.id)])
    assert "passkey_added" in shown(with_stored_events(service, user))


def test_stored_client_text_is_escaped(service: Service) -> None:
    """It holds for each field."""
    user = stored_user()
    insert_events(
        [
            Event(
                clock.now(), kind, user.id, None, EVIL, EVIL, EVIL, EVIL, EVIL
            )
            for kind in (*EventType, EVIL)
        ]
    )
    answer = with_stored_events(service, user).get(PATH)
    Page(answer)
    assert "<b " not in answer.text
    assert "<bdi>&lt;b onclick" in answer.text


def test_activity_pages_have_each_event_once(service: Service) -> None:
    """Links lead to the next page and back."""
    user = stored_user()
    here = with_stored_events(service, user)
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
def test_invalid_cursor_shows_first_page(
    service: Service, before: str
) -> None:
    """An invalid number is ignored."""
    here = with_stored_events(service, stored_user())
    text = shown(here, f"{PATH}?before={before}")
    assert "Signed in" in text


def test_page_after_last_event_says_so(service: Service) -> None:
    """It links back."""
    text = shown(
        with_stored_events(service, stored_user()), f"{PATH}?before=1"
    )
    assert "There are no older events. First page" in text


def test_activity_without_stored_events_says_so(build: Build) -> None:
    """The page does not claim that nothing happened."""
    service = build("session_db_auth", WEB_PAGES="on", EVENTS_KEPT="0")
    text = shown(with_stored_events(service, stored_user()))
    assert "does not record activity" in text
    assert "There are no events yet" not in text


def test_activity_requires_sign_in(service: Service) -> None:
    """An anonymous browser is redirected."""
    answer = Browser(service).get(PATH)
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
def test_device_is_described_in_language(
    service: Service, program: str | None, english: str, french: str
) -> None:
    """Product names stay, other words are translated."""
    for language, words in (("en", english), ("fr", french)):
        with service.app.test_request_context(
            headers={"Accept-Language": language}
        ):
            assert device_label(program) == words


def test_each_method_of_a_proof_and_kind_of_factor_has_a_label() -> None:
    """The lists of sessions and of factors show no internal name."""
    proofs = [facts.Proof]
    for proof in proofs:
        proofs += proof.__subclasses__()
    methods = {each.method for each in proofs if each.method}
    assert methods == set(activity._METHOD_LABELS)
    assert {TOTP, PASSKEY} == set(activity._FACTOR_LABELS)
