#!/usr/bin/env python3
"""The language of a page, and its words for times."""

from datetime import UTC, datetime, timedelta

import pytest

from tests.app.api.conftest import Build
from tests.app.web.browser import Browser
from tests.clocks import SetClock
from vestibule.web.i18n import exact_time, time_ago
from vestibule.web.messages import format_duration


@pytest.mark.parametrize(
    ("asked", "spoken"),
    [
        ("fr", "fr"),
        ("FR", "fr"),
        ("fr-CH, en", "fr"),
        ("fr-FR,fr;q=0.9,en-US;q=0.8,en;q=0.7", "fr"),
        ("en-US,en;q=0.9,fr;q=0.8", "en"),
        ("en;q=0.1,fr;q=0.9", "fr"),
        ("fr;q=0", "en"),
        ("de, fr;q=0.5", "fr"),
        ("de", "en"),
        ("", "en"),
        ("*", "en"),
        ("‮;q=x,,,", "en"),
        ("x" * 10_000, "en"),
    ],
)
def test_accept_language_selects_language(
    build: Build, asked: str, spoken: str
) -> None:
    """English is the default."""
    service = build("session_db_auth", WEB_PAGES="on")
    header = asked.encode("utf-8").decode("latin-1")
    answer = Browser(service, **{"Accept-Language": header}).get("/nothing")
    assert f'<html lang="{spoken}">' in answer.text
    shown = {"fr": "introuvable</h1>", "en": "Page not found</h1>"}
    assert shown[spoken] in answer.text


@pytest.mark.parametrize(
    ("passed", "english", "french"),
    [
        (timedelta(seconds=5), "5 seconds ago", "il y a 5 secondes"),
        (timedelta(minutes=3), "3 minutes ago", "il y a 3 minutes"),
        (timedelta(hours=30), "1 day ago", "il y a 1 jour"),
    ],
)
def test_elapsed_time_is_described_in_words(
    set_clock: SetClock, passed: timedelta, english: str, french: str
) -> None:
    """The words are those of the language."""
    moment = set_clock.now() - passed
    assert time_ago(moment, "en") == english
    assert time_ago(moment, "fr") == french


def test_full_time_names_its_zone(build: Build) -> None:
    """It is UTC unless the reader chose another one."""
    moment = datetime(2026, 3, 9, 13, 5, tzinfo=UTC)
    app = build("session_db_auth", WEB_PAGES="on").app
    with app.test_request_context():
        assert exact_time(moment, "en") == "Mar 9, 2026, 1:05:00\u202fPM UTC"
        assert exact_time(moment, "fr") == "9 mars 2026, 13:05:00 UTC"
    headers = {"Cookie": "vestibule_zone=Europe/Paris"}
    with app.test_request_context(headers=headers):
        shown = exact_time(moment, "fr")
    assert shown == "9 mars 2026, 14:05:00 Europe/Paris"


@pytest.mark.parametrize(
    ("seconds", "expected"),
    [
        (1, "1 second"),
        (8, "8 seconds"),
        (90, "90 seconds"),
        (91, "2 minutes"),
        (121, "3 minutes"),
        (900, "15 minutes"),
    ],
)
def test_wait_is_rounded_up(seconds: int, expected: str) -> None:
    """A shown wait is never too short."""
    assert format_duration(seconds, "en") == expected
