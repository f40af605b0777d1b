#!/usr/bin/env python3
"""`events`: lists and exports have the events of the admin pages."""

import csv
import json
from datetime import datetime, timedelta, timezone
from pathlib import Path

import pytest

from tests.failing_reads import fail_second_read
from tests.unit.cli.conftest import Run
from vestibule.core.errors import DatabaseUnavailable
from vestibule.db import events
from vestibule.db.events import Event, EventFilter
from vestibule.db.models.user import User

NOON = datetime(2026, 1, 31, 12, tzinfo=timezone.utc)
FIREFOX = "Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Firefox/128.0"


@pytest.fixture
def three() -> User:
    """Store a login and failures of a user, and one of another user."""
    user = User(email="bob@example.com")
    user.save()
    events.insert_events(
        [
            Event(
                NOON,
                "login",
                user.id,
                ip="192.0.2.7",
                network="192.0.2.7/32",
                user_agent=FIREFOX,
            ),
            Event(
                NOON + timedelta(hours=1),
                "login_failed",
                user.id,
                ip="192.0.2.8",
                network="192.0.2.8/32",
                times=4,
            ),
            Event(
                NOON + timedelta(hours=2),
                "login_failed",
                None,
                user_agent="=1+1\x1b[31m",
            ),
        ]
    )
    return user


def kinds(text: str) -> list[str]:
    """Return the second cell of each line after the first."""
    return [line.split("\t")[1] for line in text.splitlines()[1:]]


def test_list_shows_the_newest_first(
    any_database: str, run: Run, three: User
) -> None:
    """Each has time, kind, user and device."""
    done = run("events", "list")
    lines = [line.split("\t") for line in done.stdout.splitlines()]
    assert lines[0] == [
        "time (UTC)",
        "kind",
        "user id",
        "by",
        "address",
        "device",
    ]
    assert lines[-1] == [
        "2026-01-31 12:00:00",
        "login",
        three.id,
        "-",
        "192.0.2.7",
        "Firefox on Linux",
    ]
    assert kinds(done.stdout) == ["login_failed", "login_failed x4", "login"]
    assert "\x1b" not in done.stdout


@pytest.mark.parametrize(
    ("options", "found"),
    [
        (("--user", "bob@example.com"), ["login_failed x4", "login"]),
        (("--user", "eve@example.com"), []),
        (("--kind", "login"), ["login"]),
        (("--network", "192.0.2.8"), ["login_failed x4"]),
        (("--since", "2026-01-31T13:30:00"), ["login_failed"]),
        (("--until", "2026-01-31T14:00:00+01:00"), ["login"]),
        (("--limit", "2"), ["login_failed", "login_failed x4"]),
    ],
)
def test_filters_choose_the_events_of_the_admin_pages(
    run: Run, three: User, options: tuple[str, ...], found: list[str]
) -> None:
    """They choose the same events as those of the admin pages."""
    assert kinds(run("events", "list", *options).stdout) == found


@pytest.mark.parametrize(
    ("options", "code", "told"),
    [
        (("--kind", "knock"), 1, "kind is no kind of event"),
        (("--since", "yesterday"), 1, "since must be a date and time"),
        (("--network", "here"), 1, "network is not an address"),
        (("--limit", "0"), 2, "--limit"),
    ],
)
def test_invalid_filter_is_refused_by_name(
    run: Run, three: User, options: tuple[str, ...], code: int, told: str
) -> None:
    """The error names the option, and nothing is listed."""
    done = run("events", "list", *options)
    assert (done.exit_code, done.stdout) == (code, "")
    assert told in done.stderr


def test_json_equals_the_api(run: Run, three: User) -> None:
    """An object has what the API has of an event."""
    (one,) = json.loads(
        run("events", "list", "--kind", "login", "--json").stdout
    )
    assert (one["time"], one["user_id"]) == (NOON.isoformat(), three.id)
    assert one["user_agent"] == FIREFOX


def test_export_escapes_csv_formulas(run: Run, three: User) -> None:
    """JSON lines have the texts unchanged."""
    done = run("events", "export")
    first, *_, last = csv.DictReader(done.stdout.splitlines())
    assert (first["user_agent"], last["kind"]) == ("'=1+1\x1b[31m", "login")
    done = run("events", "export", "--format", "jsonl", "--kind", "login")
    assert json.loads(done.stdout)["ip"] == "192.0.2.7"
    assert run("events", "export", "--format", "xml").exit_code == 2


def test_count_equals_the_list(any_database: str, three: User) -> None:
    """Each filter counts what it lists."""
    for wanted, number in (
        (EventFilter(), 3),
        (EventFilter(kind="login_failed"), 2),
        (EventFilter(user_id=three.id, kind="login_failed"), 1),
        (EventFilter(since=NOON + timedelta(hours=1)), 2),
        (EventFilter(until=NOON), 0),
    ):
        assert events.count_events(wanted) == number
        assert len(events.fetch_page(wanted, 9).events) == number


def test_output_file_is_private_and_new(
    run: Run, three: User, tmp_path: Path
) -> None:
    """It has what would be printed, and replaces no file."""
    file = tmp_path / "events.csv"
    done = run("events", "export", "--output", str(file))
    assert (done.exit_code, done.stdout) == (0, f"wrote {file}\n")
    assert file.read_bytes() == run("events", "export").stdout_bytes
    assert file.stat().st_mode & 0o777 == 0o600
    done = run("events", "export", "--output", str(file), "--kind", "login")
    assert done.exit_code == 1
    assert "exists already and is kept" in done.stderr
    assert len(file.read_text().splitlines()) == 4


@pytest.mark.parametrize(
    ("error", "code", "said"),
    [
        (DatabaseUnavailable("the disk is gone"), 1, "the disk is gone"),
        (
            KeyboardInterrupt(),
            130,
            "interrupted; 2 of 3 events were written; {}",
        ),
    ],
)
def test_interrupted_export_is_marked(
    run: Run,
    three: User,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    error: BaseException,
    code: int,
    said: str,
) -> None:
    """No file is left; printed output ends with a note that it is cut."""
    fail_second_read(monkeypatch, error)
    file = tmp_path / "events.csv"
    done = run("events", "export", "--output", str(file))
    left = f"{file} was not written: export again"
    assert (done.exit_code, done.stdout) == (code, "")
    assert done.stderr == f"vestibule: {said.format(left)}\n"
    assert not [*tmp_path.glob("*events*")]
    done = run("events", "export")
    left = "the output is cut: export again, with --output for a complete file"
    assert (done.exit_code, len(done.stdout.splitlines())) == (code, 3)
    assert done.stderr == f"vestibule: {said.format(left)}\n"
