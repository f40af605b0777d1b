#!/usr/bin/env python3
"""Events that the command line writes for accounts and sessions."""

import os
import pwd
from datetime import datetime, timezone
from pathlib import Path

import pytest

from tests.unit.cli.conftest import PASSWORD, Run
from tests.unit.cli.processes import vestibule
from vestibule.admin.statistics import statistics
from vestibule.cli.arguments import current_actor
from vestibule.db import events
from vestibule.db.engine import database
from vestibule.db.events import Event, EventFilter
from vestibule.db.models.user import User
from vestibule.db.models.user_session import UserSession

BY = f"cli:{pwd.getpwuid(os.getuid()).pw_name}"
NEW = "violet umbrella"
NOON = datetime(2026, 3, 29, 12, tzinfo=timezone.utc)

#: Each action: the command, what is typed, and the event that it writes:
#: kind, session, reason, number of sessions.
Written = tuple[str, str | None, str | None, int | None]
ACTIONS: list[tuple[str, str | None, Written]] = [
    ("users role bob admin", None, ("role_changed", None, "admin", None)),
    ("users email bob b@a.de", None, ("email_changed", None, None, None)),
    ("users disable bob", None, ("user_disabled", None, None, None)),
    ("users enable bob", None, ("user_enabled", None, None, None)),
    ("users remove bob --yes", None, ("user_removed", None, None, None)),
    ("users passwd bob", NEW, ("password_changed", None, None, None)),
    ("users reset-code bob", None, ("reset_code_issued",) + (None,) * 3),
    ("sessions end one", None, ("session_revoked", "one", None, None)),
    ("sessions end --user bob", None, ("sessions_revoked", None, None, 2)),
]


@pytest.fixture
def bob(request: pytest.FixtureRequest) -> User:
    """Store a member with two sessions."""
    if "any_database" in request.fixturenames:
        request.getfixturevalue("any_database")
    user = User(id="bob", email="bob@example.com")
    user.password = PASSWORD
    user.save()
    for name in ("one", "two"):
        UserSession(id=name, user_id=user.id, session_id=f"id {name}").save()
    return user


def kept() -> list[Event]:
    """Return the stored events, the newest first."""
    return events.fetch_page(EventFilter(), 9).events


@pytest.mark.parametrize(("command", "typed", "told"), ACTIONS)
def test_each_action_writes_one_event(
    any_database: str,
    run: Run,
    bob: User,
    command: str,
    typed: str | None,
    told: Written,
) -> None:
    """With the user, the operator, and no address."""
    done = run(*command.split(), typed=typed)
    assert (done.exit_code, "{" in done.output) == (0, False)
    (one,) = kept()
    assert (one.kind, one.handle, one.reason, one.count) == told
    assert (one.user_id, one.by_id, one.times) == ("bob", BY, 1)
    assert (one.ip, one.network, one.user_agent) == (None, None, None)


def test_added_user_is_counted(any_database: str, run: Run) -> None:
    """In an event, and among the new users of this hour."""
    assert run("users", "add", "amy@example.com", typed=NEW).exit_code == 0
    (one,), (amy,) = kept(), User.all()
    assert (one.kind, one.user_id, one.by_id) == ("user_added", amy.id, BY)
    assert statistics("day").values["new_users"][-1] == 1


@pytest.mark.parametrize(
    ("command", "typed"),
    [
        ("users role bob member", None),
        ("users disable bob", None),
        ("users remove bob --yes", None),
        ("users passwd bob", "short"),
        ("users add bob@example.com", NEW),
        ("sessions end three", None),
        ("users list", None),
        ("sessions purge", None),
    ],
)
def test_refused_command_writes_no_event(
    run: Run, bob: User, command: str, typed: str | None
) -> None:
    """Neither does a question that is answered with no."""
    bob.role = "admin"
    bob.save_changes()
    run(*command.split(), typed=typed)
    assert kept() == []


def test_each_ended_session_writes_one_event(run: Run, bob: User) -> None:
    """Also if several end at once; an unknown handle writes none."""
    run("sessions", "end", "one", "three", "two")
    assert [one.handle for one in kept()] == ["two", "one"]


def test_no_event_is_stored_if_events_kept_is_zero(
    run: Run, bob: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The command line reads the server's EVENTS_KEPT."""
    monkeypatch.setenv("EVENTS_KEPT", "0")
    assert run("users", "disable", "bob").exit_code == 0
    assert kept() == []


@pytest.mark.parametrize(
    ("broken", "why"),
    [
        ("table", "no such table: events"),
        ("setting", "EVENTS_KEPT"),
    ],
)
def test_action_succeeds_if_its_event_cannot_be_stored(
    run: Run,
    bob: User,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    broken: str,
    why: str,
) -> None:
    """A warning says so, and the exit code is 0."""
    if broken == "table":
        with database().transaction() as connection:
            connection.exec_driver_sql("DROP TABLE events")
    else:
        monkeypatch.setenv("EVENTS_KEPT", "for ever")
    done = run("users", "disable", "bob")
    assert (done.exit_code, done.stdout) == (
        0,
        "disabled bob@example.com (bob)\n",
    )
    (record,) = caplog.records
    assert record.getMessage().startswith("the event is not stored: ")
    assert why in record.getMessage()
    found = User.get("bob")
    assert found is not None
    assert found.disabled_at is not None


@pytest.mark.slow
def test_process_stores_its_event_before_it_exits(
    bob: User, tmp_path: Path
) -> None:
    """It waits for no thread, and shows no JSON at a terminal."""
    done = vestibule(tmp_path, "users", "disable", "bob")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == "disabled bob@example.com (bob)\n"
    (one,) = kept()
    assert (one.kind, one.by_id) == ("user_disabled", BY)


def test_list_has_a_column_for_the_operator(run: Run, bob: User) -> None:
    """It is a column of its own."""
    run("users", "disable", "bob")
    events.insert_events([Event(NOON, "login", "bob")])
    lines = run("events", "list").stdout.splitlines()
    assert lines[0].split("\t")[2:4] == ["user id", "by"]
    assert [line.split("\t")[3] for line in lines[1:]] == [BY, "-"]


def test_operator_without_a_name_is_a_number(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Environment variables are not trusted for the name."""
    number = 4_000_000_000
    monkeypatch.setattr(os, "getuid", lambda: number)
    for name in ("USER", "LOGNAME"):
        monkeypatch.setenv(name, "another user")
    assert current_actor().id == f"cli:{number}"
