#!/usr/bin/env python3
"""Events and statistics of the admin API: filters, export and purging."""

import csv
import io
import json
from datetime import timedelta
from typing import Any

import pytest
from flask.testing import FlaskClient

from tests.app.api.admin_queries import fetch, fetch_all
from tests.app.api.conftest import Build
from tests.app.api.service import (
    stored_user,
)
from tests.clocks import SetClock
from tests.failing_reads import fail_second_read
from vestibule.audit import writer
from vestibule.audit.export import escape_formula
from vestibule.audit.writer import audit_writer
from vestibule.core import clock
from vestibule.core.errors import DatabaseUnavailable
from vestibule.db import events, hourly_counts
from vestibule.db.events import Event
from vestibule.db.hourly_counts import Bucket, hour_of
from vestibule.db.models.user import User

EVENTS, FIGURES = "/api/v1/events", "/api/v1/figures"
FEED = "/api/v1/admin/events"
EVIL = ("%", "_", "'", '"', "\u202e", "\u200f", "a" * 255, "=1+1", "\\")


@pytest.fixture
def admin(build: Build) -> FlaskClient:
    """Return an admin's client of a service with sessions in a database."""
    return build("session_db_auth").client_for(stored_user("admin"))


NOON = hourly_counts.start_of_hour(495_000)


def test_events_are_filtered_by_user_kind_network_and_time(
    admin: FlaskClient,
) -> None:
    """Pages of one event are complete and in order."""
    bob = stored_user()
    events.insert_events(
        [
            Event(
                NOON + timedelta(minutes=number),
                kind,
                bob.id,
                network="192.0.2.7/32",
            )
            for number, kind in enumerate(["login", "login_failed"] * 3)
        ]
    )
    mine = fetch_all(admin, EVENTS, "events", user=bob.email, limit=1)
    assert [each["kind"] for each in mine] == ["login_failed", "login"] * 3
    for query, number in (
        ({"kind": "login"}, 3),
        ({"network": "192.0.2.7"}, 6),
        ({"since": "2026-06-20T12:00", "user": "unknown"}, 0),
        ({"until": str(NOON)}, 0),
        ({"since": str(NOON + timedelta(minutes=4))}, 2),
    ):
        found = (
            fetch(admin, EVENTS, user=bob.id, **query)["events"]
            if ("user" not in query)
            else fetch(admin, EVENTS, **query)["events"]
        )
        assert len(found) == number, query
    stored = User.get(bob.id)
    assert stored is not None
    assert stored.signed_in_at == NOON + timedelta(minutes=4)


def test_event_export_has_all_events_without_formulas(
    admin: FlaskClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    """CSV and JSON Lines have each event, across batches."""
    monkeypatch.setattr("vestibule.audit.export.EXPORT_BATCH_SIZE", 2)
    signs = ["=cmd()", "+1", "-1", "@x", "\tx", "\rx", "plain", 'a"b,c']
    events.insert_events(
        [
            Event(NOON, "login", "bob", user_agent=sign, count=-1)
            for sign in signs
        ]
    )
    path = f"{EVENTS}/export"
    answer = admin.get(path, query_string={"user": "bob"})
    assert answer.mimetype == "text/csv"
    assert ".csv" in answer.headers["Content-Disposition"]
    rows = list(csv.DictReader(io.StringIO(answer.text, newline="")))
    assert [row["user_agent"] for row in rows] == [
        f"'{sign}" if number < 6 else sign for number, sign in enumerate(signs)
    ][::-1]
    assert {row["count"] for row in rows} == {"-1"}
    lines = admin.get(
        path, query_string={"user": "bob", "format": "jsonl"}
    ).text.splitlines()
    assert [json.loads(line)["user_agent"] for line in lines] == signs[::-1]
    assert json.loads(lines[0])["time"] == NOON.isoformat()
    assert escape_formula(None) is None


@pytest.mark.parametrize("path", [EVENTS, "/admin/events"])
@pytest.mark.parametrize(
    ("form", "last"),
    [
        ("csv", "error: Service Unavailable"),
        ("jsonl", '{"error":"Service Unavailable"}'),
    ],
)
@pytest.mark.parametrize(
    "error", [DatabaseUnavailable("the disk is gone"), ZeroDivisionError()]
)
def test_export_that_fails_midway_ends_with_error_line(
    build: Build,
    path: str,
    form: str,
    last: str,
    error: Exception,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """The failure is also logged."""
    service = build("session_db_auth", WEB_PAGES="on")
    admin = service.client_for(stored_user("admin"))
    events.insert_events([Event(NOON, "login", "bob")] * 3)
    fail_second_read(monkeypatch, error)
    answer = admin.get(f"{path}/export?format={form}&user=bob")
    assert answer.status_code == 200
    lines = answer.text.splitlines()
    assert lines[-1] == last
    assert sum("bob" in line for line in lines) == 2
    assert "an export of events failed" in caplog.text


def test_export_that_cannot_start_returns_503(
    admin: FlaskClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first events cannot be read."""

    def failing(*_: Any) -> Any:
        """Raise an error at once."""
        raise DatabaseUnavailable("the disk is gone")

    monkeypatch.setattr(events, "fetch_page", failing)
    for form in ("csv", "jsonl"):
        answer = admin.get(f"{EVENTS}/export?format={form}")
        assert answer.status_code == 503
        assert "Content-Disposition" not in answer.headers


def test_figures_have_sums_and_gauges(
    build: Build, set_clock: SetClock
) -> None:
    """A gauge that was not sampled is `None`."""
    set_clock.moment = NOON + timedelta(minutes=30)
    service = build("session_db_auth")
    admin = service.client_for(stored_user("admin"))
    service.log_in(stored_user(), "wrong")
    assert writer.audit_writer().flush()
    events.insert_events(
        [Event(NOON - timedelta(hours=30), "throttled", times=7)]
    )
    hourly_counts.set_gauge(
        {Bucket(hour_of(clock.now()) - 1, writer.SESSIONS): 4}
    )
    writer.record_session_count(5)
    writer.record_session_count(6)
    day = fetch(admin, FIGURES)
    last = day["slots"][-1]
    assert len(day["slots"]) == 24
    assert last["hash_ms"] > 0
    del last["hash_ms"]
    assert last == {
        "from": NOON.strftime("%Y-%m-%d %H:%M:%S"),
        "hours": 1,
        "logins": 1,
        "failures": 1,
        "throttled": 0,
        "disabled": 0,
        "sessions": 6,
        "new_users": 0,
    }
    assert [slot["sessions"] for slot in day["slots"][-3:]] == [None, 4, 6]
    for period, slots in (("week", 28), ("month", 30)):
        found = fetch(admin, FIGURES, period=period)["slots"]
        assert len(found) == slots
        assert sum(slot["throttled"] for slot in found) == 7
        assert sum(slot["logins"] for slot in found) == 1


def test_hourly_counts_are_purged_with_events(
    monkeypatch: pytest.MonkeyPatch, set_clock: SetClock
) -> None:
    """Old counts are deleted; with `EVENTS_KEPT=0` none are recorded."""
    hour = hour_of(set_clock.moment)
    hourly_counts.set_gauge(
        {Bucket(hour - 48, "login"): 1, Bucket(hour, "login"): 2}
    )
    monkeypatch.setenv("EVENTS_KEPT", "1")
    writer.purge()
    assert hourly_counts.fetch_since(0) == {Bucket(hour, "login"): 2}
    monkeypatch.setenv("EVENTS_KEPT", "0")
    writer.record_session_count(1)
    assert len(hourly_counts.fetch_since(0)) == 1


def test_feed_continues_at_the_cursor(admin: FlaskClient) -> None:
    """An admin's program reads each event once, and then waits for more."""
    audit_writer().flush()
    after = ""
    while (page := fetch(admin, FEED, after=after))["events"]:
        after = page["next"]
    assert fetch(admin, FEED, after=after) == {"events": [], "next": after}
    events.insert_events(
        [Event(NOON, "login", reason=name) for name in ("a", "b", "c")]
    )
    seen = []
    for expected in (["a", "b"], ["c"], []):
        page = fetch(admin, FEED, after=after, limit=2)
        seen = [each["reason"] for each in page["events"]]
        assert seen == expected
        after = page["next"]


def test_feed_refuses_cursors_of_other_lists(admin: FlaskClient) -> None:
    """A cursor of the list of events is no place of the feed."""
    events.insert_events([Event(NOON, "login")] * 3)
    other = fetch(admin, EVENTS, limit=1)["next"]
    for query in ({"after": other}, {"after": "1"}, {"limit": "0"}):
        assert admin.get(FEED, query_string=query).status_code == 400
