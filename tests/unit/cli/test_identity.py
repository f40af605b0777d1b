#!/usr/bin/env python3
"""`identity`: the keys are listed by name, and rotated by the rules."""

import json
from datetime import timedelta

import pytest

from tests.clocks import SetClock
from tests.unit.cli.conftest import Run
from vestibule.db import stored_secrets
from vestibule.identity import keys


def listed(run: Run) -> list[tuple[str, bool, bool]]:
    """Return id, whether it signs and whether it is published, of each."""
    done = run("identity", "list", "--json")
    return [
        (row["id"], row["signs"], row["published"])
        for row in json.loads(done.stdout)
    ]


def rotated(run: Run, *options: str) -> str:
    """Rotate the keys and return the id of the new one."""
    done = run("identity", "rotate", *options)
    assert done.exit_code == 0, done.output
    return done.stdout.strip()


def test_listing_keys_creates_none(any_database: str, run: Run) -> None:
    """To list the keys makes none."""
    run("db", "upgrade")
    assert listed(run) == []
    done = run("identity", "list")
    assert done.stdout == "id\tsince (UTC)\tsigns\tpublished\n"
    assert stored_secrets.stored_signing_keys() == []


def test_rotation_publishes_signs_and_removes(
    any_database: str, run: Run, set_clock: SetClock
) -> None:
    """A new key is published, then signs, then is the only one."""
    old = rotated(run)
    assert listed(run) == [(old, True, True)]
    set_clock.advance(3600)
    new = rotated(run)
    assert listed(run) == [(old, True, True), (new, False, True)]
    set_clock.advance(keys.KEY_OVERLAP / timedelta(seconds=1))
    assert listed(run) == [(old, False, True), (new, True, True)]
    set_clock.advance(keys.KEY_OVERLAP / timedelta(seconds=1))
    assert listed(run) == [(old, False, False), (new, True, True)]
    third = rotated(run)
    assert listed(run) == [(new, True, True), (third, False, True)]


def test_rotation_at_once_removes_all_other_keys(
    any_database: str, run: Run, set_clock: SetClock
) -> None:
    """All others are gone, and the new one signs."""
    for _ in range(3):
        rotated(run)
        set_clock.advance(1)
    new = rotated(run, "--at-once")
    assert listed(run) == [(new, True, True)]


def test_table_shows_no_private_key(run: Run, set_clock: SetClock) -> None:
    """A line has the id, the moment and the answers; nothing secret."""
    made = rotated(run)
    done = run("identity", "list")
    assert done.stdout.splitlines()[1:] == [
        f"{made}\t2026-03-29T00:30:15\tyes\tyes"
    ]
    stored = stored_secrets.stored_signing_keys()[0]
    secret = stored.private_key.splitlines()[1]
    assert len(secret) > 40
    shown = done.output + run("identity", "list", "--json").output
    assert secret not in shown
    assert secret not in repr(stored)


def test_configured_key_is_not_rotated(
    run: Run, monkeypatch: pytest.MonkeyPatch, set_clock: SetClock
) -> None:
    """It is the only key, whatever is stored."""
    rotated(run)
    given = keys.new_key(set_clock.now())
    monkeypatch.setenv("IDENTITY_SIGNING_KEY", given.private_key)
    assert listed(run) == [(given.id, True, True)]
    assert f"\n{given.id}\t-\tyes\tyes\n" in run("identity", "list").stdout
    for options in ((), ("--at-once",)):
        done = run("identity", "rotate", *options)
        assert done.exit_code == 1
        assert done.stderr.startswith("vestibule: IDENTITY_SIGNING_KEY: ")
        assert given.private_key.splitlines()[1] not in done.output
    monkeypatch.delenv("IDENTITY_SIGNING_KEY")
    assert len(listed(run)) == 1
