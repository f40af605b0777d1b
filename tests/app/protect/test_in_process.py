#!/usr/bin/env python3
"""The decision in process is the decision over HTTP, and needs as much."""

import asyncio
import threading
from typing import Any

import pytest

from tests.app.protect.conftest import Town
from tests.clocks import SetClock
from tests.ports import free_port
from tests.serving import COOKIE
from vestibule.accounts.users import disable
from vestibule.core.errors import ConfigurationError, VestibuleUnavailable
from vestibule.db import drivers
from vestibule.db.engine import close, database
from vestibule.mechanisms.session_db_auth import SessionDBAuth
from vestibule.protect import in_process
from vestibule.protect.async_backends import AsyncInProcess
from vestibule.protect.in_process import InProcess
from vestibule.protect.verify_response import Principal


def test_it_decides_as_verify_does(way: Any, town: Town) -> None:
    """Of any cookie both say the same, and at the same moment."""
    disable(town.bob, town.auth.store)
    live, other = town.admin_cookie, f"{COOKIE}=other"
    with way(None) as here, way(town.url, timeout=30) as there:
        for cookie in (
            live,
            town.cookie,
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
            town.ada.id, "ada@example.com", "admin", "Ada"
        )
        assert here(live) is here(live)
        town.end(live)
        assert here(live) is there(live) is None


@pytest.mark.parametrize("missing", ["AUTH_TYPE", "SESSION_NAME"])
def test_settings_by_which_nobody_is_known(
    way: Any, town: Town, missing: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An application without them does not start, open or shut."""
    monkeypatch.delenv(missing)
    with pytest.raises(ConfigurationError, match=missing), way(None):
        pass


def test_a_database_that_is_away(
    way: Any, town: Town, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where it cannot be asked, nobody can tell."""
    with way(None) as ask:
        assert ask(town.cookie) is not None
        close()
        monkeypatch.setenv(
            "DATABASE_URL",
            f"postgresql+psycopg://me:secret@127.0.0.1:{free_port()}/none",
        )
        for _ in range(2):
            with pytest.raises(VestibuleUnavailable) as refused:
                ask(town.cookie)
            assert "secret" not in str(refused.value)


def test_a_defect(
    way: Any,
    town: Town,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """What fails inside opens nothing; its traceback is for the log."""
    monkeypatch.setattr(in_process, "authenticate", None)
    with way(None) as ask, pytest.raises(VestibuleUnavailable):
        ask(town.cookie)
    assert "TypeError" in caplog.text


def test_a_defect_is_not_quick(
    way: Any, town: Town, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever asks whether it is learns of it where it is answered."""
    with way(None) as ask:
        assert ask(town.cookie) is not None
        monkeypatch.setattr(SessionDBAuth, "session_cookie", None)
        with pytest.raises(VestibuleUnavailable, match="an internal error"):
            ask(town.cookie)


@pytest.fixture(params=["WAL", "TRUNCATE"])
def written_by(
    request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> str:
    """Let SQLite write by this journal; return which it is."""
    monkeypatch.setattr(drivers, "journal_mode", lambda _: request.param)
    return str(request.param)


def test_only_what_needs_no_file_is_immediate(
    written_by: str, set_clock: SetClock, town: Town
) -> None:
    """Where the database has to be asked, a loop might wait for a lock."""
    here = InProcess()
    for _ in range(2):
        assert here.principal(town.cookie) is not None
    question = here.build_request(town.cookie)
    assert here.is_immediate(question) is (written_by == "WAL")
    assert here.is_immediate(here.build_request("theme=dark"))
    assert not here.is_immediate(here.build_request(f"{COOKIE}=unknown"))


def test_a_loop_does_not_wait_for_a_lock(
    monkeypatch: pytest.MonkeyPatch,
    set_clock: SetClock,
    request: pytest.FixtureRequest,
) -> None:
    """While somebody has the file for himself it is told at once."""
    monkeypatch.setattr(drivers, "journal_mode", lambda _: "TRUNCATE")
    monkeypatch.setenv("DATABASE_TIMEOUT", "30000")
    town: Town = request.getfixturevalue("town")
    here, found = InProcess(), []
    for _ in range(2):
        assert here.principal(town.cookie) is not None
    question = here.build_request(town.cookie)
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


def test_a_database_that_is_not_open_is_not_quick(
    set_clock: SetClock, town: Town
) -> None:
    """To open it may take long: a schema is brought up to date."""
    here = InProcess()
    for _ in range(2):
        assert here.principal(town.cookie) is not None
    question = here.build_request(town.cookie)
    assert here.is_immediate(question)
    close()
    assert not here.is_immediate(question)
    assert here.principal(town.cookie) is not None


def test_a_loop_does_not_wait_for_look_ups(
    set_clock: SetClock, town: Town, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is not remembered is looked up by another thread."""
    here = InProcess()
    in_loop: list[bool] = []
    judged = here._authenticate

    def noted(request: Any) -> Principal | None:
        """Note which thread judges."""
        in_loop.append(threading.current_thread() is loop)
        return judged(request)

    monkeypatch.setattr(here, "_authenticate", noted)
    loop = threading.current_thread()
    source = AsyncInProcess(here)
    with asyncio.Runner() as runner:

        def ask(cookie: str) -> Principal | None:
            """Ask on the loop of this thread."""
            return runner.run(source.principal(cookie))

        for _ in range(3):
            assert ask(town.cookie) is not None
        # Thread and loop each have to see that nothing was written.
        assert (in_loop[0], in_loop[-1]) == (False, True)
        for cookie in ("theme=dark", f"{COOKIE}=unknown"):
            assert ask(cookie) is None
        assert in_loop[-2:] == [True, False]
        set_clock.advance(3600)
        assert ask(town.cookie) is not None
        assert in_loop[-1:] == [False]
        runner.run(source.close())
        assert ask(f"{COOKIE}=unknown") is None
        runner.run(source.close())
