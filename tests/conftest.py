#!/usr/bin/env python3
"""Fixtures: databases that are real, and servers that are."""

import os
import shutil
import signal
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import hypothesis
import pytest

from tests.backends import PostgreSQL, missing
from tests.serving import Server
from vestibule.audit import log
from vestibule.audit.writer import audit_writer
from vestibule.core import settings
from vestibule.db import engine, migrate
from vestibule.sessions.sweeper import Sweeper

if TYPE_CHECKING:
    from playwright.sync_api import Browser

Serve = Callable[..., Server]

# Workers share the cores with servers and browsers: how long it takes to
# think of an example tells nothing about the code.
hypothesis.settings.register_profile(
    "shared",
    deadline=None,
    suppress_health_check=[hypothesis.HealthCheck.too_slow],
)
hypothesis.settings.load_profile("shared")


# What a shell starts in the background is deaf to Ctrl-C, and so would be
# each program that a test starts and interrupts.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(scope="session")
def postgresql() -> Iterator[PostgreSQL]:
    """Run a PostgreSQL server for the tests of this process."""
    if PostgreSQL.find() is None:
        missing("PostgreSQL")
    server = PostgreSQL()
    yield server
    server.remove()


def _upgrade(url: str) -> str:
    """Give the database at `url` the newest schema; return its address."""
    with pytest.MonkeyPatch.context() as given:
        given.setenv("DATABASE_URL", url)
        fresh = engine.configured_database()
        migrate.upgrade(fresh)
        fresh.close()
    return url


@pytest.fixture(scope="session")
def pattern(postgresql: PostgreSQL) -> str:
    """Return the address of an empty database with the newest schema."""
    return _upgrade(postgresql.fresh_url())


@pytest.fixture(scope="session")
def pattern_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return an SQLite file that is empty but for the newest schema.

    A copy of it takes a thirtieth of the time that the migrations take.
    """
    file = tmp_path_factory.mktemp("pattern") / "vestibule.db"
    _upgrade(f"sqlite:///{file}")
    return file


@pytest.fixture(scope="session")
def chromium() -> Iterator["Browser"]:
    """Run Chromium for the tests of this process."""
    # Most processes need none, and it takes long to load.
    from tests.chromium import running

    with running() as browser:
        yield browser


@pytest.fixture(autouse=True)
def clean_settings(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[None]:
    """Give each test the default settings and an SQLite file of its own."""
    before = {**os.environ}
    for setting in settings.ALL:
        monkeypatch.delenv(setting.name, raising=False)
    monkeypatch.setenv("DATABASE_URL", f"sqlite:///{tmp_path}/vestibule.db")
    monkeypatch.setenv("ENV_FILE", "")
    yield
    # What a file of settings brought in is not for the next test.
    os.environ.clear()
    os.environ.update(before)
    # An application of this process may have kept what happened.
    log.set_listener(None)
    log.begin_request(None)
    audit_writer().close()
    audit_writer.cache_clear()
    engine.close()


@pytest.fixture(autouse=True)
def own_sweepers(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Let no sweeper go on after the test whose application began it.

    It would sweep the database of another test, or open one of its own.
    """
    begun: set[Sweeper] = set()
    begin = Sweeper.ensure_running

    def noted(sweeper: Sweeper) -> None:
        """Begin, and remember that it did."""
        begun.add(sweeper)
        begin(sweeper)

    monkeypatch.setattr(Sweeper, "ensure_running", noted)
    yield
    for sweeper in begun:
        sweeper.stop()
    for thread in threading.enumerate():
        if thread.name == "sweeper":
            thread.join(30)


@pytest.fixture
def on_sqlite(clean_settings: None, tmp_path: Path, pattern_file: Path) -> str:
    """Run the test on a fresh SQLite file; return its address."""
    shutil.copyfile(pattern_file, tmp_path / "vestibule.db")
    return settings.DATABASE_URL.read()


@pytest.fixture
def on_postgresql(
    clean_settings: None,
    postgresql: PostgreSQL,
    pattern: str,
    monkeypatch: pytest.MonkeyPatch,
) -> str:
    """Run the test on a fresh PostgreSQL database; return its address."""
    url = postgresql.fresh_url(like=pattern)
    monkeypatch.setenv("DATABASE_URL", url)
    return url


@pytest.fixture(params=["sqlite", "postgresql"])
def any_database(request: pytest.FixtureRequest) -> str:
    """Run the test on each kind of database; return the address."""
    url: str = request.getfixturevalue(f"on_{request.param}")
    return url


@pytest.fixture
def serve(tmp_path: Path) -> Iterator[Serve]:
    """Return a function that starts a server in this test's folder."""
    started: list[Server] = []

    def start(**given: str) -> Server:
        """Start a server with the settings that are `given`."""
        server = Server(tmp_path, **given).start()
        started.append(server)
        return server

    yield start
    for server in started:
        if server.process.poll() is None:
            server.stop()
