#!/usr/bin/env python3
"""In process, the rules, the name and the database are the service's."""

import os
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text

from tests.app.api.service import stored_user
from tests.clocks import SetClock
from tests.serving import COOKIE
from vestibule.core import clock, setting_types, settings
from vestibule.core.crypto import digest_of
from vestibule.core.errors import ConfigurationError, SchemaMismatch
from vestibule.db import host_sessions, migrate, session_queries
from vestibule.db.engine import close, configured_database, database
from vestibule.db.host_sessions import Code
from vestibule.db.models.user import User
from vestibule.mechanisms.session_db_auth import SessionDBAuth
from vestibule.protect.backends import Installation, backend_for
from vestibule.protect.in_process import RELOAD_SECONDS, InProcess

#: What the service has, and the application's environment does not.
SERVICE = {
    "AUTH_TYPE": "session_db_auth",
    "SESSION_NAME": COOKIE,
    "SESSION_IDLE_TIMEOUT": "60",
    "SESSION_MAX_AGE": "600",
}


@pytest.fixture(autouse=True)
def fresh_settings(on_sqlite: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let no test give settings to the next one."""
    monkeypatch.setattr(setting_types, "_given", {})
    for name in SERVICE:
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def set_clock(monkeypatch: pytest.MonkeyPatch) -> SetClock:
    """Stop the clock, the one for intervals too."""
    stopped = SetClock().install(monkeypatch)
    monkeypatch.setattr(clock, "monotonic", lambda: stopped.now().timestamp())
    return stopped


def start_service(**rules: str) -> None:
    """Store the rules of a service, as its start does."""
    with pytest.MonkeyPatch.context() as patch:
        # The service is another process, which was given nothing.
        patch.setattr(setting_types, "_given", {})
        for name, value in (SERVICE | rules).items():
            patch.setenv(name, value)
        session_queries.store_rules(session_queries.current_rules())


def cookie_of(user: User) -> str:
    """Return the cookie of a new session."""
    return f"{COOKIE}={SessionDBAuth().create_session(user.id)}"


@pytest.mark.parametrize("rule", ["SESSION_IDLE_TIMEOUT", "SESSION_MAX_AGE"])
@pytest.mark.parametrize("own", [None, "0", "86400"])
def test_session_that_the_service_refuses_is_refused_in_process(
    set_clock: SetClock,
    monkeypatch: pytest.MonkeyPatch,
    rule: str,
    own: str | None,
) -> None:
    """Whatever the application's own environment has for the rule."""
    start_service(**{"SESSION_IDLE_TIMEOUT": "600", rule: "60"})
    if own is not None:
        monkeypatch.setenv(rule, own)
    backend, cookie = InProcess(), cookie_of(stored_user())
    assert backend.principal(cookie) is not None
    set_clock.advance(59)
    assert backend.principal(cookie) is not None
    set_clock.advance(61)
    assert backend.principal(cookie) is None


def test_rules_of_a_restarted_service_count_without_a_restart(
    set_clock: SetClock,
) -> None:
    """They are read again at intervals, for cached sessions too."""
    start_service(SESSION_IDLE_TIMEOUT="6000", SESSION_MAX_AGE="6000")
    backend, cookie = InProcess(), cookie_of(stored_user())
    set_clock.advance(RELOAD_SECONDS)
    assert backend.principal(cookie) is not None
    request = backend.build_request(cookie)
    assert backend.is_immediate(request)
    start_service(SESSION_MAX_AGE="30")
    set_clock.advance(RELOAD_SECONDS)
    assert not backend.is_immediate(request)
    assert backend.principal(cookie) is None


def test_name_and_mechanism_come_from_the_service() -> None:
    """The application sets neither."""
    start_service()
    backend, user = InProcess(), stored_user()
    principal = backend.principal(cookie_of(user))
    assert principal is not None and principal.id == user.id


@pytest.mark.parametrize(
    ("name", "value"),
    [("SESSION_NAME", "another"), ("AUTH_TYPE", "session_exp_auth")],
)
@pytest.mark.parametrize("prefix", ["", "VESTIBULE_"])
def test_other_name_than_the_service_has_is_refused(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str, prefix: str
) -> None:
    """No user could be known; the start says it."""
    start_service()
    monkeypatch.setenv(prefix + name, value)
    with pytest.raises(ConfigurationError, match=f"{name}: must be"):
        InProcess()


def test_service_that_stored_no_rules_leaves_the_settings(
    monkeypatch: pytest.MonkeyPatch, set_clock: SetClock
) -> None:
    """A service of an older version has none: the environment counts."""
    for name, value in SERVICE.items():
        monkeypatch.setenv(name, value)
    user = stored_user()
    backend, cookie = InProcess(), cookie_of(user)
    assert backend.principal(cookie) is not None
    set_clock.advance(61)
    assert backend.principal(cookie) is None


@pytest.mark.parametrize("makes_file", [False, True])
def test_database_without_tables_is_an_error_at_the_start(
    tmp_path: Path, makes_file: bool
) -> None:
    """No file is made, and an empty one stays empty."""
    close()
    file = tmp_path / "other.db"
    if makes_file:
        file.touch()
    given = Installation(f"sqlite:///{file}", COOKIE)
    with pytest.raises(ConfigurationError, match="no tables of Vestibule"):
        InProcess(given)
    assert file.exists() is makes_file
    assert not makes_file or file.stat().st_size == 0


@pytest.mark.parametrize("version", ["0001", "9999"])
def test_database_of_another_version_is_refused_and_not_upgraded(
    version: str,
) -> None:
    """An upgrade by an application would stop the service that runs."""
    start_service()
    table, cookie = migrate.VERSION_TABLE, cookie_of(stored_user())
    with database().transaction() as connection:
        connection.execute(text(f"UPDATE {table} SET version_num={version!r}"))
    close()
    with pytest.raises(SchemaMismatch, match=f"schema {version}"):
        InProcess().principal(cookie)
    assert migrate.revision(configured_database()) == version


@pytest.mark.parametrize("way", ["variable", "argument"])
def test_database_of_the_application_is_not_taken(
    on_sqlite: str,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    way: str,
) -> None:
    """`DATABASE_URL` in the environment may be the application's own."""
    start_service()
    user = stored_user()
    cookie = cookie_of(user)
    close()
    own = tmp_path / "application.db"
    monkeypatch.setenv("DATABASE_URL", f"sqlite:///{own}")
    given = None
    if way == "variable":
        monkeypatch.setenv("VESTIBULE_DATABASE_URL", on_sqlite)
    else:
        given = Installation(database_url=on_sqlite)
        # The argument counts before both.
        monkeypatch.setenv("VESTIBULE_DATABASE_URL", f"sqlite:///{own}")
    principal = InProcess(given).principal(cookie)
    assert principal is not None and principal.id == user.id
    assert not own.exists()


def test_backend_takes_an_installation_in_place_of_a_url(
    on_sqlite: str,
) -> None:
    """A second one with another database is refused; a secret is hidden."""
    start_service()
    first = Installation(on_sqlite, COOKIE)
    assert isinstance(backend_for(first, None, 1), InProcess)
    assert isinstance(backend_for(first, None, 1), InProcess)
    second = Installation("postgresql://me:secret@db.example.com/other")
    with pytest.raises(ConfigurationError, match="another value"):
        backend_for(second, None, 1)
    assert "secret" not in repr(second)


def test_settings_with_the_prefix_win(monkeypatch: pytest.MonkeyPatch) -> None:
    """An empty one counts as unset; children inherit both."""
    monkeypatch.setenv("API_PORT", "6000")
    monkeypatch.setenv("VESTIBULE_API_PORT", "7000")
    assert settings.API_PORT.read() == 7000
    monkeypatch.setenv("VESTIBULE_API_PORT", "")
    assert settings.API_PORT.read() == 6000
    monkeypatch.setenv("VESTIBULE_API_PORT", "none")
    with pytest.raises(ConfigurationError, match="API_PORT"):
        settings.API_PORT.read()


@pytest.mark.parametrize("setting", settings.ALL, ids=lambda each: each.name)
def test_each_setting_has_a_prefixed_name(
    setting: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is read, and counts as set."""
    monkeypatch.setenv(f"VESTIBULE_{setting.name}", "some text")
    assert setting.text() == "some text"
    assert setting_types.is_set(setting)
    assert os.environ.get(setting.name) != "some text"


@pytest.mark.parametrize("prefix", ["", "VESTIBULE_"])
def test_environment_that_a_program_replaced_is_read(
    monkeypatch: pytest.MonkeyPatch, prefix: str
) -> None:
    """A mapping in the place of `os.environ` counts as it is then."""
    monkeypatch.setattr(os, "environ", {f"{prefix}SESSION_NAME": "given"})
    assert settings.SESSION_NAME.read() == "given"
    monkeypatch.setattr(os, "environ", {f"{prefix}SESSION_NAME": "later"})
    assert settings.SESSION_NAME.read() == "later"
    monkeypatch.setattr(os, "environ", {})
    assert settings.SESSION_NAME.read() is None


def test_stored_rules_are_written_once() -> None:
    """A service that starts again with the same rules writes nothing."""
    start_service()
    stored = session_queries.stored_rules()
    assert stored["SESSION_IDLE_TIMEOUT"] == "60"
    start_service()
    assert session_queries.stored_rules() == stored
    start_service(SESSION_IDLE_TIMEOUT="61")
    assert session_queries.stored_rules()["SESSION_IDLE_TIMEOUT"] == "61"


def test_session_of_an_application_counts_while_its_host_is_listed(
    set_clock: SetClock,
) -> None:
    """The list of hosts is the service's, and is read again."""
    start_service(APP_HOSTS="app.example.com")
    backend, user = InProcess(), stored_user()
    session = SessionDBAuth().store.find(cookie_of(user).partition("=")[2])
    assert session is not None
    code = Code(digest_of("code"), "app.example.com", digest_of("state"))
    now = set_clock.now()
    assert host_sessions.add_code(code, session.id, "/", now)
    assert host_sessions.redeem_code(code, digest_of("host.secret"), now)
    principal = backend.principal(f"{COOKIE}=host.secret")
    assert principal is not None and principal.id == user.id
    start_service(APP_HOSTS="other.example.com")
    set_clock.advance(RELOAD_SECONDS)
    assert backend.principal(f"{COOKIE}=host.secret") is None
