#!/usr/bin/env python3
"""The statistics page: a chart, its sentence and its table."""

import re
from datetime import UTC, datetime, timedelta
from urllib.parse import urlencode

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
from vestibule.web.admin.statistics import bar_chart
from vestibule.web.assets import bundle

#: Bytes of a page with all its files, and of the headers of a response.
MAX_PAGE_BYTES, HEADER_BYTES = 60_000, 550


@pytest.fixture
def service(build: Build, set_clock: SetClock) -> Service:
    """Return a service with pages."""
    return build("session_db_auth", WEB_PAGES="on")


def shown(browser: Browser, path: str, status: int = 200) -> str:
    """Return a page's text with single spaces."""
    answer = browser.get(path)
    assert answer.status_code == status, path
    return " ".join(Page(answer).text.split())


def attributes(page: Page, wanted: str) -> list[dict[str, str | None]]:
    """Return the attributes of each element with this tag."""
    return [given for tag, given in page.elements if tag == wanted]


def count_bars(page: Page, kind: str) -> int:
    """Return how many bars or marks the paths of a class have."""
    return sum(
        str(given["d"]).count("M")
        for given in attributes(page, "path")
        if given.get("class") == kind
    )


def test_statistics_have_chart_sentence_and_table(service: Service) -> None:
    """A slot without data has a mark, and a value leads to its events."""
    browser = signed_in(service, stored_user("admin"))
    assert audit_writer().flush()
    now = clock.now()
    events.insert_events(
        [Event(now - timedelta(hours=2), "throttled", times=7)]
    )
    hourly_counts.set_gauge({Bucket(hour_of(now), SESSIONS): 3})
    for period, slots in (("day", 24), ("week", 28), ("month", 30)):
        address = f"/admin/figures?period={period}"
        charts = Page(browser.get(address))
        assert [tag for tag, _ in charts.elements].count("svg") == 7
        # The events are of the last slot, or of an earlier one of the day.
        assert (
            count_bars(charts, "bar") + count_bars(charts, "bar unfinished")
            == 4
        )
        for given in attributes(charts, "svg"):
            assert str(given["data-values"]).count("|") == slots
        marks = count_bars(charts, "missing")
        text = " ".join(charts.text.split())
        assert "Total 7 \u00b7 peak 7 on " in text
        table = Page(browser.get(f"{address}&view=table"))
        tags = [tag for tag, _ in table.elements]
        assert tags.count("td") == 7 * slots and "svg" not in tags
        assert table.text.count("no data") == marks > 0
        assert "(not finished)" in table.text
        links = [
            str(given["href"])
            for given in attributes(table, "a")
            if str(given["href"]).startswith("events")
        ]
        assert any("kind=throttled" in link for link in links)
        for link in links:
            assert " event" in shown(browser, f"/admin/{link}")
    assert shown(browser, "/admin/figures?period=year", 400)


def test_view_and_period_are_kept_by_links(service: Service) -> None:
    """An unknown view shows the charts."""
    browser = signed_in(service, stored_user("admin"))
    for query, view in (
        ("?period=week&view=table", "&view=table"),
        ("?period=week&view=other", ""),
    ):
        page = Page(browser.get(f"/admin/figures{query}"))
        (zone,) = (
            str(given["action"])
            for given in attributes(page, "form")
            if given.get("class") == "zone"
        )
        here = {"back": f"/admin/figures?period=week{view}"}
        assert zone == f"/admin/zone?{urlencode(here)}"
        links = [str(given["href"]) for given in attributes(page, "a")]
        assert f"?period=month{view}" in links
        other = "" if view else "&view=table"
        assert f"?period=week{other}" in links


@pytest.mark.parametrize(
    ("name", "instant", "hours"),
    [
        # Clocks go back: 02:00 to 03:00 comes twice.
        ("Europe/Paris", "2026-10-25T08:30", ["2026-10-25T02:00"] * 2),
        # Clocks go forward: there is no 02:00.
        (
            "Europe/Paris",
            "2026-03-29T08:30",
            ["2026-03-29T01:00", "2026-03-29T03:00"],
        ),
        # A negative offset that is no full hour.
        (
            "America/St_Johns",
            "2026-07-01T08:30",
            ["2026-06-30T21:30", "2026-06-30T22:30"],
        ),
    ],
)
def test_each_slot_leads_to_its_events_in_every_zone(
    service: Service,
    set_clock: SetClock,
    name: str,
    instant: str,
    hours: list[str],
) -> None:
    """Also at the hours that a change of the clocks repeats or leaves out.

    The events are half an hour after 00:00 and 01:00 UTC.
    """
    now = datetime.fromisoformat(instant).replace(tzinfo=UTC)
    set_clock.moment = now
    browser = signed_in(service, stored_user("admin"))
    browser.client.set_cookie("vestibule_zone", name)
    assert audit_writer().flush()
    midnight = now.replace(hour=0, minute=30)
    events.insert_events(
        [
            Event(midnight, "throttled", times=7),
            Event(midnight + timedelta(hours=1), "throttled", times=5),
        ]
    )
    page = Page(browser.get("/admin/figures?view=table"))
    found = [
        str(given["href"])
        for given in attributes(page, "a")
        if "kind=throttled" in str(given["href"])
    ]
    assert [link.split("since=")[1][:16] for link in found] == hours
    for link, times in zip(found, ("7 times", "5 times"), strict=True):
        text = shown(browser, f"/admin/{link}")
        assert "1 event" in text and times in text
    charts = Page(browser.get("/admin/figures"))
    (given,) = (given for _, given in charts.elements if "data-since" in given)
    starts = str(given["data-since"]).split("|")
    assert len(starts) == 25
    for link in found:
        since, until = link.split("since=")[1].split("&until=")
        assert starts[starts.index(since) + 1] == until


def test_days_have_names_in_utc_and_times_in_other_zones(
    service: Service, set_clock: SetClock
) -> None:
    """A day of UTC has other times where the clocks change on it."""
    set_clock.moment = datetime(2026, 10, 27, 12, tzinfo=UTC)
    browser = signed_in(service, stored_user("admin"))
    address = "/admin/figures?period=month&view=table"
    text = shown(browser, address)
    assert " 24 Octno data" in text and "24 Oct, 00:00" not in text
    browser.client.set_cookie("vestibule_zone", "Europe/Paris")
    text = shown(browser, address)
    assert "24 Oct, 02:00 \u2013 25 Oct, 02:00" in text
    assert "25 Oct, 02:00 \u2013 26 Oct, 01:00" in text


@pytest.mark.parametrize(
    ("values", "ticks", "heights"),
    [
        ([], [0, 1], []),
        ([None, 0, 0.0], [0, 1], [None, 0, 0]),
        ([1, None, 3], [0, 1, 2, 3], [40, None, 120]),
        ([1, 100_000], range(0, 100_001, 20_000), [2, 120]),
        ([121], [0, 50, 100, 150], [96.8]),
        ([0.5], [0, 0.1, 0.2, 0.3, 0.4, 0.5], [120]),
    ],
)
def test_chart_bars_have_heights_of_values(
    values: list[float | None], ticks: list[float], heights: list[float | None]
) -> None:
    """Small values stay visible, no bar leaves the chart, and the scale
    ends near the highest value. A slot without data has no bar but a mark.
    """
    plot = bar_chart(values)
    assert plot.ticks == list(ticks)
    assert plot.heights == heights
    bars = [
        float(each)
        for each in re.findall("v-(.*?)h", plot.finished + plot.unfinished)
    ]
    assert bars == [height for height in heights if height]
    assert plot.missing.count("M") == values.count(None)


def fill_month(amount: int) -> None:
    """Store this amount for every count and hour of a month."""
    now = hour_of(clock.now())
    events_of = ("login", "login_failed", "throttled", "user_added")
    others = ("login_disabled", SESSIONS, "hashes", "hashing")
    hourly_counts.set_gauge(
        {
            Bucket(hour, name): amount
            for hour in range(now - 30 * 24, now + 1)
            for name in events_of + others
        }
    )


def weight_of_files() -> int:
    """Return the bytes of the files of an admin page, with their headers."""
    found = bundle()
    return sum(
        len(found.files[path.rpartition("/")[2]].content) + HEADER_BYTES
        for path in (found.style, found.admin_style, found.script, found.logo)
    )


@pytest.mark.parametrize("amount", [0, 1, 10**15])
def test_month_full_of_values_is_small(
    service: Service, set_clock: SetClock, amount: int
) -> None:
    """Without values too; every slot has a link where it has events."""
    browser = signed_in(
        service, stored_user("admin"), **{"Accept-Language": "fr"}
    )
    assert audit_writer().flush()
    browser.client.set_cookie("vestibule_zone", "America/St_Johns")
    fill_month(amount)
    charts, table = (
        browser.get(f"/admin/figures?period=month{view}")
        for view in ("", "&view=table")
    )
    for answer in (charts, table):
        weight = len(answer.data) + HEADER_BYTES + weight_of_files()
        assert weight < MAX_PAGE_BYTES, weight
    links = [
        given
        for given in attributes(Page(table), "a")
        if str(given["href"]).startswith("events?")
    ]
    assert len(links) == (5 * 30 if amount else 0)
    # The scale has room for a short number.
    assert ("Bn" in Page(charts).text) is (amount == 10**15)
