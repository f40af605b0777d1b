#!/usr/bin/env python3
"""The in-process backend decides like verify over HTTP."""

import asyncio
import threading
from typing import Any

import pytest
import requests

from tests.app.protect.conftest import LiveServer
from tests.clocks import SetClock
from tests.ports import free_port
from tests.serving import COOKIE
from vestibule.accounts.users import disable
from vestibule.core.errors import ConfigurationError, VestibuleUnavailable
from vestibule.db import drivers
from vestibule.db.engine import close, database
from vestibule.identity.header import HEADER
from vestibule.mechanisms.session_db_auth import SessionDBAuth
from vestibule.protect import in_process
from vestibule.protect.async_backends import AsyncInProcess
from vestibule.protect.backends import SETTINGS
from vestibule.protect.in_process import InProcess
from vestibule.protect.verify_response import Principal


def test_in_process_backend_decides_like_verify(
    open_backend: Any, live_server: LiveServer
) -> None:
    """Both give the same result for any cookie at the same time."""
    disable(live_server.bob, live_server.auth.store)
    live, other = live_server.admin_cookie, f"{COOKIE}=other"
    with (
        open_backend(SETTINGS) as here,
        open_backend(live_server.url, timeout=30) as there,
    ):
        for cookie in (
            live,
            live_server.cookie,
            other,
            f"{live}; {other}",
            f"{live}; {live}",
            f"{live}=",
            f'{COOKIE}="{live.partition("=")[2]}"',
            "=",
            ";;",
            live.upper(),
            f"x=\xfc; {live}",
            f"{live}; {COOKIE}=\xfc",
        ):
            assert here(cookie) == there(cookie)
        assert here(live) == Principal(
            live_server.ada.id,
            "ada@example.com",
            "admin",
            "Ada",
            level=1,
            reauth_window=300,
        )
        assert here(live) is here(live)
        live_server.end(live)
        assert here(live) is there(live) is None


def test_confirmed_email_is_known_in_each_mode(
    open_backend: Any, live_server: LiveServer
) -> None:
    """It changes with the user: confirmed, then changed by an admin."""
    audience = live_server.url.partition("//")[2]
    cookie, bob = live_server.cookie, live_server.bob
    verify = f"{live_server.url}/api/v1/auth_session/verify"

    def signed() -> str:
        """Return the identity that verify signs now."""
        headers = {"Cookie": cookie}
        answer = requests.get(verify, timeout=60, headers=headers)
        return answer.headers[HEADER]

    with (
        open_backend(SETTINGS) as here,
        open_backend(live_server.url, timeout=30) as there,
        open_backend(live_server.url, audience, 30) as by_identity,
    ):

        def told() -> set[bool]:
            """Return what the three backends say."""
            return {
                here(cookie).email_verified,
                there(cookie).email_verified,
                by_identity(signed()).email_verified,
            }

        assert told() == {False}
        bob.email_verified_at = bob.created_at
        bob.save_changes()
        assert told() == {True}
        bob.email = "other@example.com"
        bob.save_changes()
        assert told() == {False}


@pytest.mark.parametrize("missing", ["AUTH_TYPE", "SESSION_NAME"])
def test_in_process_backend_needs_session_settings(
    open_backend: Any,
    live_server: LiveServer,
    missing: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Without them the application does not start."""
    monkeypatch.delenv(missing)
    with (
        pytest.raises(ConfigurationError, match=missing),
        open_backend(SETTINGS),
    ):
        pass


def test_lost_database_makes_user_unknown(
    open_backend: Any, live_server: LiveServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The backend raises an error instead of answering."""
    with open_backend(SETTINGS) as find_user:
        assert find_user(live_server.cookie) is not None
        close()
        monkeypatch.setenv(
            "DATABASE_URL",
            f"postgresql+psycopg://me:secret@127.0.0.1:{free_port()}/none",
        )
        for _ in range(2):
            with pytest.raises(VestibuleUnavailable) as refused:
                find_user(live_server.cookie)
            assert "secret" not in str(refused.value)


def test_setting_that_cannot_be_read_fails_closed(
    live_server: LiveServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The principal has the window in which a proof is recent."""
    backend = InProcess()
    monkeypatch.setenv("REAUTH_WINDOW", "soon")
    with pytest.raises(VestibuleUnavailable, match="REAUTH_WINDOW"):
        backend.principal(live_server.cookie)


def test_defect_in_backend_fails_closed(
    open_backend: Any,
    live_server: LiveServer,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """The traceback goes to the log only."""
    monkeypatch.setattr(in_process, "authenticate", None)
    with (
        open_backend(SETTINGS) as find_user,
        pytest.raises(VestibuleUnavailable),
    ):
        find_user(live_server.cookie)
    assert "TypeError" in caplog.text


def test_defect_in_cached_lookup_raises_error(
    open_backend: Any, live_server: LiveServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The check whether a lookup is immediate does not hide the error."""
    with open_backend(SETTINGS) as find_user:
        assert find_user(live_server.cookie) is not None
        monkeypatch.setattr(SessionDBAuth, "session_cookie", None)
        with pytest.raises(VestibuleUnavailable, match="an internal error"):
            find_user(live_server.cookie)


@pytest.fixture(params=["WAL", "TRUNCATE"])
def written_by(
    request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> str:
    """Set SQLite's journal mode and return it."""
    monkeypatch.setattr(drivers, "journal_mode", lambda _: request.param)
    return str(request.param)


def test_only_cached_sessions_are_immediate(
    written_by: str, set_clock: SetClock, live_server: LiveServer
) -> None:
    """A database query could make the event loop wait for a lock."""
    here = InProcess()
    for _ in range(2):
        assert here.principal(live_server.cookie) is not None
    question = here.build_request(live_server.cookie)
    assert here.is_immediate(question) is (written_by == "WAL")
    assert here.is_immediate(here.build_request("theme=dark"))
    assert not here.is_immediate(here.build_request(f"{COOKIE}=unknown"))


def test_immediate_check_does_not_wait_for_file_lock(
    monkeypatch: pytest.MonkeyPatch,
    set_clock: SetClock,
    request: pytest.FixtureRequest,
) -> None:
    """It returns at once while another process locks the file."""
    monkeypatch.setattr(drivers, "journal_mode", lambda _: "TRUNCATE")
    monkeypatch.setenv("DATABASE_TIMEOUT", "30000")
    live_server: LiveServer = request.getfixturevalue("live_server")
    here, found = InProcess(), []
    for _ in range(2):
        assert here.principal(live_server.cookie) is not None
    question = here.build_request(live_server.cookie)
    asking = threading.Thread(
        target=lambda: found.append(here.is_immediate(question)), daemon=True
    )
    other = drivers.sqlite_driver().connect(str(database().url.database))
    try:
        other.execute("BEGIN EXCLUSIVE")
        asking.start()
        asking.join(10)
        assert found == [False]
    finally:
        other.close()
        asking.join(60)


def test_unopened_database_is_not_immediate(
    set_clock: SetClock, live_server: LiveServer
) -> None:
    """Opening it may upgrade the schema, which takes long."""
    here = InProcess()
    for _ in range(2):
        assert here.principal(live_server.cookie) is not None
    question = here.build_request(live_server.cookie)
    assert here.is_immediate(question)
    close()
    assert not here.is_immediate(question)
    assert here.principal(live_server.cookie) is not None


def test_event_loop_does_not_wait_for_lookups(
    set_clock: SetClock,
    live_server: LiveServer,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Another thread looks up sessions that are not cached."""
    here = InProcess()
    in_loop: list[bool] = []
    judged = here._authenticate

    def noted(request: Any) -> Principal | None:
        """Record which thread decides."""
        in_loop.append(threading.current_thread() is loop)
        return judged(request)

    monkeypatch.setattr(here, "_authenticate", noted)
    loop = threading.current_thread()
    source = AsyncInProcess(here)
    with asyncio.Runner() as runner:

        def find_user(cookie: str) -> Principal | None:
            """Verify on the event loop of this thread."""
            return runner.run(source.principal(cookie))

        for _ in range(3):
            assert find_user(live_server.cookie) is not None
        # Thread and event loop each check that nothing was written.
        assert (in_loop[0], in_loop[-1]) == (False, True)
        for cookie in ("theme=dark", f"{COOKIE}=unknown"):
            assert find_user(cookie) is None
        assert in_loop[-2:] == [True, False]
        set_clock.advance(3600)
        assert find_user(live_server.cookie) is not None
        assert in_loop[-1:] == [False]
        runner.run(source.close())
        assert find_user(f"{COOKIE}=unknown") is None
        runner.run(source.close())
