#!/usr/bin/env python3
"""`doctor`: the checks of settings, database and running service."""

import os
from datetime import timedelta
from pathlib import Path

import pytest
from click.testing import CliRunner

from tests.ports import free_port
from vestibule.checks.doctor import run_checks
from vestibule.checks.settings import Level
from vestibule.cli import program
from vestibule.core import clock
from vestibule.core.crypto import new_key
from vestibule.db import drivers, engine, events, migrate
from vestibule.db.events import Event
from vestibule.db.models.user import User

pytestmark = pytest.mark.usefixtures("on_sqlite")

GOOD = {
    "SECURITY_PROFILE": "hardened",
    "AUTH_TYPE": "session_db_auth",
    "SESSION_NAME": "__Host-session",
    "TRUSTED_PROXIES": "127.0.0.1",
}


@pytest.fixture
def sound(monkeypatch: pytest.MonkeyPatch) -> None:
    """Set up a deployment without faults."""
    for name, value in GOOD.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("SECRETS_KEY", new_key())
    admin = User(email="admin@example.com")
    admin.role = "admin"
    admin.save()
    os.chmod(str(engine.database().url.database), 0o600)


def findings(level: Level) -> str:
    """Return the findings of this level, a line for each."""
    return "\n".join(
        f"{one.message} | {one.hint}"
        for one in run_checks()
        if one.level is level
    )


def test_sound_deployment_has_no_finding(sound: None) -> None:
    """Nothing is wrong, nothing weak."""
    found = list(run_checks())
    assert {one.level for one in found} == {Level.GOOD}
    assert len(found) == 4
    assert CliRunner().invoke(program, ["doctor"]).exit_code == 0


@pytest.mark.parametrize(
    ("name", "value", "level", "said"),
    [
        ("API_PORT", "x", Level.WRONG, "see API_PORT in the settings"),
        (
            "AUTH_TYPE",
            "magic",
            Level.WRONG,
            "the server does not start with this",
        ),
        ("SESSION_NAME", "sid", Level.WRONG, "must begin with __Host-"),
        ("SESSION_DURATION", "soon", Level.WRONG, "must be whole seconds"),
        (
            "SECURITY_PROFILE",
            "contract",
            Level.WEAK,
            "SECURITY_PROFILE=standard",
        ),
        (
            "SECURITY_PROFILE",
            "contract",
            Level.WEAK,
            "COOKIE_SECURE=always behind TLS",
        ),
        ("SECURITY_PROFILE", "contract", Level.WRONG, "sessions never expire"),
        (
            "TRUSTED_PROXIES",
            "0.0.0.0/0",
            Level.WRONG,
            "0.0.0.0/0: any client counts as a proxy",
        ),
        (
            "TRUSTED_PROXIES",
            "127.0.0.1,::/0",
            Level.WRONG,
            "::/0: any client counts as a proxy",
        ),
    ],
)
def test_weak_settings_are_named(
    sound: None,
    monkeypatch: pytest.MonkeyPatch,
    name: str,
    value: str | None,
    level: Level,
    said: str,
) -> None:
    """Each finding names what to set."""
    assert said not in findings(level)
    if value is None:
        monkeypatch.delenv(name)
    else:
        monkeypatch.setenv(name, value)
    assert said in findings(level)


def test_cookie_name_without_a_host_prefix_is_weak(
    sound: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is allowed, and reported as weak."""
    monkeypatch.setenv("SESSION_NAME", "sid")
    monkeypatch.setenv("SESSION_NAME_HOST_PREFIX", "off")
    assert "other hosts of the domain can replace the cookie sid" in findings(
        Level.WEAK
    )


def test_basic_auth_has_no_finding_about_cookies(
    sound: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Basic authentication sets no cookie."""
    monkeypatch.setenv("AUTH_TYPE", "basic_auth")
    monkeypatch.delenv("SESSION_NAME")
    assert {one.level for one in run_checks()} == {Level.GOOD}


def test_missing_database_is_not_created(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """It is not made by looking."""
    file = tmp_path / "none.db"
    monkeypatch.setenv("DATABASE_URL", f"sqlite:///{file}")
    assert f"there is no database at sqlite:///{file} yet" in findings(
        Level.WEAK
    )
    assert not file.exists()


def test_invalid_database_url_hides_the_password(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """It is a finding, not a crash."""
    monkeypatch.setenv(
        "DATABASE_URL",
        f"postgresql+psycopg://u:secret@127.0.0.1:{free_port()}/x",
    )
    said = findings(Level.WRONG)
    assert "see DATABASE_URL" in said
    assert "secret" not in said


def test_outdated_schema_names_the_upgrade_command(
    sound: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The command that mends it is named."""
    monkeypatch.setattr(migrate, "EXPECTED_REVISION", "another")
    assert "python -m vestibule db upgrade" in findings(Level.WRONG)


def test_damaged_file_is_reported(
    sound: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each fault is shown, with the advice to restore a backup."""
    monkeypatch.setattr(
        migrate, "integrity_errors", lambda _: ["page 7 is odd"]
    )
    assert "page 7 is odd | restore a backup" in findings(Level.WRONG)


def test_unsound_sqlite_version_is_weak(
    sound: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It works, slower."""
    engine.close()
    monkeypatch.setattr(drivers, "FIRST_SAFE_WAL_VERSION", (99, 0, 0))
    assert "install pysqlite3" in findings(Level.WEAK)


def test_readable_database_file_names_the_command(sound: None) -> None:
    """The command that mends it has its name."""
    file = str(engine.database().url.database)
    os.chmod(file, 0o644)
    assert f"chmod 600 {file}" in findings(Level.WRONG)


def test_missing_admin_is_reported(sound: None) -> None:
    """The hint says how to make one."""
    for user in User.all():
        user.remove()
    assert "users role EMAIL admin" in findings(Level.WEAK)


def test_recent_worker_exit_is_reported(sound: None) -> None:
    """Only the last one, and none that is a week old."""
    now = clock.now()
    events.insert_events(
        [Event(now - timedelta(days=8), "worker_exited", reason="SIGBUS")]
    )
    assert "unexpectedly" not in findings(Level.WEAK)
    events.insert_events(
        [
            Event(now - timedelta(days=each), "worker_exited", reason=cause)
            for each, cause in ((1, "SIGSEGV"), (2, "SIGKILL"))
        ]
    )
    last = (now - timedelta(days=1)).isoformat(timespec="seconds")
    said = findings(Level.WEAK)
    assert f"(events found: 2), last at {last} by SIGSEGV" in said
    assert "SIGBUS" not in said


def test_postgresql_has_no_finding_about_files(
    on_postgresql: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its address is shown without what is of SQLite."""
    for name, value in GOOD.items():
        monkeypatch.setenv(name, value)
    found = list(run_checks())
    assert {one.level for one in found} == {Level.GOOD, Level.WEAK}
    assert any("is current" in one.message for one in found)
