#!/usr/bin/env python3
"""The statistics page: a chart, its sentence and its table."""

from datetime import timedelta

import pytest

from tests.app.api.conftest import Build
from tests.app.api.service import Service, stored_user
from tests.app.web.browser import Browser, Page, signed_in
from tests.clocks import SetClock
from vestibule.audit.writer import SESSIONS, audit_writer
from vestibule.core import clock
from vestibule.db import events, hourly_counts
from vestibule.db.events import Event
from vestibule.db.hourly_counts import Bucket, hour_of
from vestibule.web.admin.statistics import HEIGHT, bar_chart


@pytest.fixture
def service(build: Build, set_clock: SetClock) -> Service:
    """Return a service with pages."""
    return build("session_db_auth", WEB_PAGES="on")


def shown(browser: Browser, path: str, status: int = 200) -> str:
    """Return a page's text with single spaces."""
    answer = browser.get(path)
    assert answer.status_code == status, path
    return " ".join(Page(answer).text.split())


def test_statistics_have_chart_sentence_and_table(service: Service) -> None:
    """A period without data shows none."""
    browser = signed_in(service, stored_user("admin"))
    assert audit_writer().flush()
    now = clock.now()
    events.insert_events(
        [Event(now - timedelta(hours=2), "throttled", times=7)]
    )
    hourly_counts.set_gauge({Bucket(hour_of(now), SESSIONS): 3})
    for period, slots in (("day", 24), ("week", 28), ("month", 30)):
        answer = browser.get(f"/admin/figures?period={period}")
        page = Page(answer)
        tags = [tag for tag, _ in page.elements]
        assert tags.count("svg") == 7
        assert tags.count("td") == 7 * slots
        assert tags.count("rect") == 4
        text = " ".join(page.text.split())
        assert "Total: 7. Highest: 7, in the period from " in text
        assert "No data in this period." in text
    assert shown(browser, "/admin/figures?period=year", 400)


@pytest.mark.parametrize(
    ("values", "top", "heights"),
    [
        ([], 1, []),
        ([None, 0, 0.0], 1, []),
        ([1, None, 3], 5, [24, 72]),
        ([1, 100_000], 100_000, [2, 120]),
        ([0.5], 1, [60]),
    ],
)
def test_chart_bars_have_heights_of_values(
    values: list[float | None], top: float, heights: list[float]
) -> None:
    """Small values stay visible, and no bar leaves the chart."""
    plot = bar_chart(values)
    assert plot.top == top
    assert [bar.height for bar in plot.bars] == heights
    assert all(bar.y + bar.height == HEIGHT for bar in plot.bars)
