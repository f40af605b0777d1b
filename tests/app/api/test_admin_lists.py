#!/usr/bin/env python3
"""What admins see of all users, sessions and events, by the API."""

import csv
import io
import json
from datetime import timedelta
from typing import Any

import pytest
from flask.testing import FlaskClient

from tests.app.api.conftest import Build
from tests.app.api.service import (
    ME,
    NOT_FOUND,
    RESET,
    USERS,
    Service,
    basic,
    stored_user,
)
from tests.clocks import SetClock
from tests.failing_reads import fail_second_read
from vestibule.admin import filters as desk_sessions
from vestibule.audit import writer
from vestibule.audit.export import escape_formula
from vestibule.core import clock
from vestibule.core.errors import DatabaseUnavailable
from vestibule.db import events, hourly_counts
from vestibule.db.events import Event
from vestibule.db.hourly_counts import Bucket, hour_of
from vestibule.db.models.user import User

PEOPLE, EVENTS = "/api/v1/admin/users", "/api/v1/events"
SESSIONS, FIGURES = "/api/v1/sessions", "/api/v1/figures"
EVIL = ("%", "_", "'", '"', "\u202e", "\u200f", "a" * 255, "=1+1", "\\")


@pytest.fixture
def admin(build: Build) -> FlaskClient:
    """Return a client of an admin of a service with a database."""
    return build("session_db_auth").client_for(stored_user("admin"))


def got(client: FlaskClient, path: str, **query: Any) -> Any:
    """Return the answer to a request that must succeed."""
    answer = client.get(path, query_string=query)
    assert answer.status_code == 200, answer.text
    return answer.get_json()


def leafed(
    client: FlaskClient, path: str, name: str, **query: Any
) -> list[dict[str, Any]]:
    """Return all rows of a list, page by page."""
    rows: list[dict[str, Any]] = []
    page = got(client, path, **query)
    while page["next"] is not None:
        rows += page[name]
        page = got(client, path, after=page["next"], **query)
    return [*rows, *page[name]]


def test_user_search_returns_each_user_once(admin: FlaskClient) -> None:
    """Rows have what admins see, and no secret."""
    ids = {stored_user(email=f"ada{i}@example.com").id for i in range(5)}
    found = leafed(admin, PEOPLE, "users", q="ADA", limit=2)
    assert {each["id"] for each in found} == ids and len(found) == 5
    assert set(found[0]) == {
        "created_at",
        "email",
        "first_name",
        "id",
        "last_name",
        "updated_at",
        "role",
        "disabled_at",
        "signed_in_at",
    }
    only = got(admin, PEOPLE, role="admin", disabled="no")["users"]
    assert [each["role"] for each in only] == ["admin"]
    shown = got(admin, f"{PEOPLE}/{found[0]['id']}")
    assert shown == found[0]


REFUSED: list[tuple[str, dict[str, str], str]] = [
    (PEOPLE, {"q": "x" * 10_000}, "q"),
    (PEOPLE, {"q": "\0"}, "q"),
    (PEOPLE, {"role": "king"}, "role"),
    (PEOPLE, {"disabled": "perhaps"}, "disabled"),
    (PEOPLE, {"limit": "0"}, "limit"),
    (PEOPLE, {"limit": "\u0661"}, "limit"),
    (PEOPLE, {"limit": "9" * 256}, "limit"),
    (SESSIONS, {"network": "nowhere"}, "network"),
    (EVENTS, {"kind": "x"}, "kind"),
    (EVENTS, {"since": "yesterday"}, "since"),
    (EVENTS, {"until": "0001-01-01T00:00+23:59"}, "until"),
    (f"{EVENTS}/export", {"format": "xml"}, "format"),
    (f"{EVENTS}/export", {"kind": "x"}, "kind"),
    (FIGURES, {"period": "year"}, "period"),
    *(
        (path, {"after": place}, "after")
        for path in (PEOPLE, SESSIONS, EVENTS)
        for place in ("x", "\u00e9" * 40, "A" * 9_000, "e" * 16 + "W10=")
    ),
]


def test_invalid_query_parameter_is_refused(admin: FlaskClient) -> None:
    """A 400 names the field."""
    for path, query, field in REFUSED:
        answer = admin.get(path, query_string=query)
        assert answer.status_code == 400, (path, query)
        assert answer.get_json() == {"error": "Wrong format", "field": field}


def test_cursor_of_another_list_or_filter_is_refused(
    admin: FlaskClient,
) -> None:
    """A changed cursor is refused too."""
    for number in range(3):
        stored_user(email=f"ada{number}@example.com")
    place = got(admin, PEOPLE, q="ada", limit=1)["next"]
    assert (
        admin.get(
            PEOPLE, query_string={"q": "ada", "after": place}
        ).status_code
        == 200
    )
    for path, query in (
        (PEOPLE, {"q": "ad"}),
        (PEOPLE, {}),
        (SESSIONS, {}),
        (EVENTS, {}),
        (PEOPLE, {"q": "ada", "role": "member"}),
    ):
        answer = admin.get(path, query_string={**query, "after": place})
        assert answer.status_code == 400
    other = place[:-4] + ("AAA=" if place[-4:] != "AAA=" else "BBB=")
    answer = admin.get(PEOPLE, query_string={"q": "ada", "after": other})
    assert answer.status_code == 400


def test_search_text_has_no_wildcards(admin: FlaskClient) -> None:
    """A text is found literally, or not at all."""
    stored_user()
    for text in EVIL:
        for typed in (text, "a" + text):
            got(admin, PEOPLE, q=typed)
        found = got(admin, SESSIONS, device=text, user=text)
        assert found["sessions"] == []
        assert got(admin, EVENTS, user=text)["events"] == []
    for text in ("%", "_", "'", "a%"):
        assert got(admin, PEOPLE, q=text)["users"] == []


def test_invited_user_sets_password_with_code(build: Build) -> None:
    """The new user then signs in with that password."""
    service = build("session_db_auth")
    admin = service.client_for(stored_user("admin"))
    email = "new@example.com"
    body = {"email": email, "first_name": "New", "password": "chosen by me"}
    answer = admin.post(PEOPLE, json=body)
    assert answer.status_code == 201
    made = answer.get_json()
    assert (made["user"]["role"], made["user"]["first_name"]) == (
        "member",
        "New",
    )
    stored = User.get(made["user"]["id"])
    assert stored is not None and stored.password is None
    new = "violet umbrella 7"
    set_it = service.client().post(
        RESET,
        data={
            "email": email,
            "code": made["code"],
            "new_password": new,
        },
    )
    assert set_it.status_code == 200
    assert service.log_in(stored, new)[1].status_code == 200
    for bad, told in (
        (body, "Can't create User: email is already registered"),
        ({"email": "x"}, "Can't create User: email is not an email address"),
        ({}, "email missing"),
        ([], "Wrong format"),
    ):
        answer = admin.post(PEOPLE, json=bad)
        assert (answer.status_code, answer.get_json()) == (
            400,
            {"error": told},
        )


def test_invite_and_revoke_need_recent_password(
    build: Build, set_clock: SetClock
) -> None:
    """A stolen admin session can neither add a user nor end a session."""
    service = build("session_db_auth")
    user, admin = stored_user(), service.client_for(stored_user("admin"))
    client = service.client_for(user)
    (one,) = got(admin, SESSIONS, user=user.id)["sessions"]
    set_clock.advance(301)
    for answer in (
        admin.post(PEOPLE, json={"email": "new@example.com"}),
        admin.delete(f"{SESSIONS}/{one['id']}"),
    ):
        assert answer.status_code == 403
        assert answer.get_json() == {"error": "Re-authentication required"}
    assert User.count() == 2
    assert client.get(ME).status_code == 200


def test_admin_resets_failures_of_user(build: Build) -> None:
    """The admin sees the failures; after the reset the user may log in."""
    service = build("session_db_auth", THROTTLE="on")
    admin, user = service.client_for(stored_user("admin")), stored_user()
    path = f"{USERS}/{user.id}/failures"
    assert got(admin, path) == {
        "count": 0,
        "last_at": None,
        "retry_after": 0,
    }
    for _ in range(5):
        service.log_in(user, "wrong")
    found = got(admin, path)
    assert found["count"] >= 4 and found["retry_after"] >= 0
    assert found["last_at"] is not None
    assert service.log_in(user)[1].status_code == 429
    for _ in range(2):
        assert admin.delete(path).status_code == 200
    assert got(admin, path)["count"] == 0
    assert service.log_in(user)[1].status_code == 200


def test_sessions_are_filtered_by_user_network_and_device(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It holds with each mechanism; one session is then ended."""
    bob, eve = stored_user(), stored_user()
    admin = service.client_for(stored_user("admin"))
    agent = {"User-Agent": "Mozilla/5.0 (X11; Linux) Firefox/128.0"}
    there = {"REMOTE_ADDR": "192.0.2.7"}
    client, _ = service.log_in(bob, headers=agent)
    service.log_in(bob)
    service.log_in(eve, environ_base=there)
    assert len(leafed(admin, SESSIONS, "sessions", limit=1)) == 4
    of_bob = leafed(admin, SESSIONS, "sessions", user=bob.email, limit=1)
    assert [each["user_id"] for each in of_bob] == [bob.id] * 2
    assert of_bob[0]["current"] is False
    (one,) = got(admin, SESSIONS, device="firefox on")["sessions"]
    assert one["device"] == "Firefox on Linux"
    for query in (
        {"network": "192.0.2.7"},
        {"network": "192.0.2.7/32"},
        {"network": "192.0.2.7", "user": eve.id},
    ):
        (other,) = got(admin, SESSIONS, **query)["sessions"]
        assert other["user_id"] == eve.id
    monkeypatch.setattr(desk_sessions, "MAX_ROWS_SCANNED", 1)
    page = got(admin, SESSIONS, device="firefox", limit=1)
    assert (page["sessions"], page["next"] is None) == ([], False)
    path = f"{SESSIONS}/{one['id']}"
    assert admin.delete(path).status_code == 200
    assert client.get(ME).status_code == 403
    again = admin.delete(path)
    assert (again.status_code, again.get_json()) == (404, NOT_FOUND)


def test_sessions_with_basic_return_404(build: Build) -> None:
    """HTTP Basic has no sessions to list or end."""
    client = build("basic_auth").client()
    shown = {"Authorization": basic(stored_user("admin"))}
    for method, path in (("GET", SESSIONS), ("DELETE", f"{SESSIONS}/x")):
        answer = client.open(path, method=method, headers=shown)
        assert (answer.status_code, answer.get_json()) == (404, NOT_FOUND)


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
    mine = leafed(admin, EVENTS, "events", user=bob.email, limit=1)
    assert [each["kind"] for each in mine] == ["login_failed", "login"] * 3
    for query, number in (
        ({"kind": "login"}, 3),
        ({"network": "192.0.2.7"}, 6),
        ({"since": "2026-06-20T12:00", "user": "unknown"}, 0),
        ({"until": str(NOON)}, 0),
        ({"since": str(NOON + timedelta(minutes=4))}, 2),
    ):
        found = (
            got(admin, EVENTS, user=bob.id, **query)["events"]
            if ("user" not in query)
            else got(admin, EVENTS, **query)["events"]
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
        """Fail at once."""
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
    day = got(admin, FIGURES)
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
        "sessions": 6,
        "new_users": 0,
    }
    assert [slot["sessions"] for slot in day["slots"][-3:]] == [None, 4, 6]
    for period, slots in (("week", 28), ("month", 30)):
        found = got(admin, FIGURES, period=period)["slots"]
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
