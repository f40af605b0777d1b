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
        bars = [
            given
            for tag, given in page.elements
            if tag == "rect" and given.get("class") == "bar"
        ]
        # Slots in which nothing was counted have a mark instead of a bar.
        assert sum(float(bar["height"] or 0) > 0 for bar in bars) == 4
        assert len(bars) < 7 * slots
        text = " ".join(page.text.split())
        assert "Total 7 \u00b7 peak 7 on " in text
        links = [
            str(given["href"])
            for tag, given in page.elements
            if tag == "a" and str(given.get("class")).startswith("slot")
        ]
        assert any("kind=throttled" in link for link in links)
        for link in links:
            assert " event" in shown(browser, link)
        assert "(not finished)" in text and "no data" in text
    assert shown(browser, "/admin/figures?period=year", 400)


@pytest.mark.parametrize(
    ("values", "ticks", "heights"),
    [
        ([], [0, 1], []),
        ([None, 0, 0.0], [0, 1], [0, 0, 0]),
        ([1, None, 3], [0, 1, 2, 3], [40, 0, 120]),
        ([1, 100_000], range(0, 100_001, 20_000), [2, 120]),
        ([121], [0, 50, 100, 150], [96.8]),
        ([0.5], [0, 0.1, 0.2, 0.3, 0.4, 0.5], [120]),
    ],
)
def test_chart_bars_have_heights_of_values(
    values: list[float | None], ticks: list[float], heights: list[float]
) -> None:
    """Small values stay visible, no bar leaves the chart, and the scale
    ends near the highest value.
    """
    plot = bar_chart(values)
    assert plot.ticks == list(ticks)
    assert [bar.height for bar in plot.bars] == heights
    assert [bar.is_missing for bar in plot.bars] == [
        value is None for value in values
    ]
    assert all(bar.y + bar.height == HEIGHT for bar in plot.bars)
