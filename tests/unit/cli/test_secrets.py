#!/usr/bin/env python3
"""`secrets`: keys are made, counted and replaced, in batches."""

import base64
import json
import stat
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text

from tests.unit.cli.conftest import Run
from vestibule.accounts import totp
from vestibule.accounts.second_factors import begin_app, confirm_app
from vestibule.cli.arguments import current_actor
from vestibule.core import clock, crypto
from vestibule.core.crypto import key_ring, new_key
from vestibule.core.errors import ConfigurationError
from vestibule.db import factors, stored_secrets
from vestibule.db.engine import database
from vestibule.db.factors import Factor, add_pending
from vestibule.db.models.user import User
from vestibule.db.stored_secrets import factor_secret_place


def store(number: int) -> None:
    """Store so many encrypted values, each of a user."""
    for each in range(number):
        user = User(email=f"{each}@example.com")
        user.save()
        id = f"{each:04}"
        secret = key_ring().encrypt(
            f"seed {id}".encode(), factor_secret_place(id)
        )
        add_pending(Factor(id, user.id, "totp", "x", secret, clock.now()), 5)


def clear_texts() -> dict[str, bytes]:
    """Return all values, decrypted, by the ids of their rows."""
    found: Sequence[Any] = database().fetch_all(
        text("SELECT id, secret FROM factors")
    )
    return {
        row[0]: key_ring().decrypt(row[1], factor_secret_place(row[0]))
        for row in found
    }


def listed(run: Run) -> list[tuple[int, bool, bool]]:
    """Return values, whether it encrypts and is there, of each key."""
    done = run("secrets", "list", "--json")
    return [
        (row["values"], row["encrypts"], row["is_configured"])
        for row in json.loads(done.stdout)
    ]


def test_new_key_is_printed_or_written_in_front(
    any_database: str,
    run: Run,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The file has mode 0600, and keeps the keys that it had."""
    printed = run("secrets", "new").stdout.strip()
    file = tmp_path / "key ring"
    file.write_text(f"# old\n{printed}\n")
    done = run("secrets", "new", str(file))
    assert done.exit_code == 0, done.output
    lines = file.read_text().splitlines()
    assert lines[1:] == ["# old", printed]
    assert lines[0] not in done.output
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    monkeypatch.setenv("SECRETS_KEY_FILE", str(file))
    assert len(key_ring().key_ids) == 2
    fresh = tmp_path / "fresh"
    assert run("secrets", "new", str(fresh)).exit_code == 0
    assert stat.S_IMODE(fresh.stat().st_mode) == 0o600


def test_file_of_something_else_is_kept(run: Run, tmp_path: Path) -> None:
    """A key is not put before text that is no key."""
    file = tmp_path / "notes"
    file.write_text("not a key")
    done = run("secrets", "new", str(file))
    assert done.exit_code == 1
    assert file.read_text() == "not a key"


def test_rotation_encrypts_everything_again(
    any_database: str,
    run: Run,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """In batches; the old key can go then."""
    old, new = new_key(), new_key()
    monkeypatch.setattr(stored_secrets, "MAX_BATCH_ROWS", 3)
    monkeypatch.setenv("SECRETS_KEY", old)
    run("db", "upgrade")
    store(7)
    before = clear_texts()
    monkeypatch.setenv("SECRETS_KEY", f"{new} {old}")
    assert listed(run) == [(0, True, True), (7, False, True)]
    done = run("secrets", "rotate")
    assert (done.exit_code, done.stdout) == (0, "encrypted again: 7\n")
    assert listed(run) == [(7, True, True), (0, False, True)]
    assert run("secrets", "rotate").stdout == "encrypted again: 0\n"
    monkeypatch.setenv("SECRETS_KEY", new)
    assert clear_texts() == before


def test_interrupted_rotation_continues(
    any_database: str,
    run: Run,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """What is done stays done, and all values can be read meanwhile."""
    old, new = new_key(), new_key()
    monkeypatch.setattr(stored_secrets, "MAX_BATCH_ROWS", 3)
    monkeypatch.setenv("SECRETS_KEY", old)
    run("db", "upgrade")
    store(7)
    before = clear_texts()
    monkeypatch.setenv("SECRETS_KEY", f"{new} {old}")
    ring, calls = key_ring(), []

    def interrupt(stored: str, place: crypto.Place) -> str:
        """Encrypt four values; then Ctrl-C is pressed."""
        calls.append(place)
        if len(calls) == 5:
            raise KeyboardInterrupt
        return ring.encrypt(ring.decrypt(stored, place), place)

    with pytest.raises(KeyboardInterrupt):
        list(stored_secrets.rotate(ring.current_prefix, interrupt))
    assert listed(run) == [(3, True, True), (4, False, True)]
    assert clear_texts() == before
    assert run("secrets", "rotate").stdout == "encrypted again: 4\n"
    assert clear_texts() == before


def test_value_of_a_missing_key_is_named_and_kept(
    any_database: str,
    run: Run,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The others are encrypted again, and the exit code is 1."""
    lost, old, new = new_key(), new_key(), new_key()
    monkeypatch.setattr(stored_secrets, "MAX_BATCH_ROWS", 1)
    monkeypatch.setenv("SECRETS_KEY", old)
    run("db", "upgrade")
    store(3)
    monkeypatch.setenv("SECRETS_KEY", lost)
    stored = key_ring().encrypt(b"x", factor_secret_place("0001"))
    with database().transaction() as connection:
        connection.execute(
            text("UPDATE factors SET secret = :secret WHERE id = '0001'"),
            {"secret": stored},
        )
    monkeypatch.setenv("SECRETS_KEY", f"{new} {old}")
    done = run("secrets", "rotate")
    assert done.exit_code == 1
    assert "encrypted again: 2" in done.stdout
    assert "factors/secret/0001" in done.stderr
    assert (1, False, False) in listed(run)


def test_command_without_a_key_says_what_to_set(
    any_database: str, run: Run
) -> None:
    """The message names the setting and the command."""
    run("db", "upgrade")
    done = run("secrets", "rotate")
    assert done.exit_code == 1
    assert "SECRETS_KEY: must be set" in done.stderr
    with pytest.raises(ConfigurationError):
        key_ring()


def test_operator_removes_the_factors_of_a_user_who_lost_them(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Apps and codes go, of this user only, and each app is an event."""
    monkeypatch.setenv("SECRETS_KEY", new_key())
    kept = []
    for email in ("bob@example.com", "ada@example.com"):
        user = User(email=email)
        user.save()
        app = begin_app(user, "phone")
        seed = base64.b32decode(app.key.replace(" ", ""))
        code = totp.hotp(seed, totp.step_at(clock.now()))
        assert len(confirm_app(user, app.factor.id, code)) == 10
        kept.append(user)
    bob, ada = kept
    done = run("users", "remove-factors", "bob@example.com")
    assert done.stdout == f"removed 1 app of bob@example.com ({bob.id})\n"
    assert factors.of_user(bob.id) == []
    assert not factors.count_recovery_codes(bob.id)
    assert factors.has_any(ada.id) and factors.count_recovery_codes(ada.id)
    again = run("users", "remove-factors", bob.id, "--json")
    assert json.loads(again.stdout)["removed"] == 0
    shown = json.loads(run("events", "list", "--json").stdout)
    removed = [one for one in shown if one["kind"] == "factor_removed"]
    assert [one["by_id"] for one in removed] == [current_actor().id]
