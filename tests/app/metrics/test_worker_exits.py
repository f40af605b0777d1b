#!/usr/bin/env python3
"""A worker that ends unexpectedly: log line, metric and event."""

import os
import re
import signal
from functools import partial
from pathlib import Path

import pytest

from tests.app.metrics.scrape import samples
from tests.backends import PostgreSQL
from tests.e2e.server.waiting import is_serving, wait_until
from tests.serving import COOKIE, Server
from vestibule.audit.log import EventType
from vestibule.db import engine
from vestibule.db.events import EventFilter, fetch_page
from vestibule.metrics.multiprocess import exit_cause

pytestmark = pytest.mark.slow

EXITS = ("vestibule_worker_exits_total", ())
#: The server, with a function by which a worker exits with a code.
EXITING = """
import os, signal
from vestibule.server import worker
load = worker.load_application
def exiting(*arguments, **rest):
    signal.signal(signal.SIGUSR1, lambda *_: os._exit(3))
    return load(*arguments, **rest)
worker.load_application = exiting
from vestibule.server.granian import main
main()
"""


def server_on(folder: Path, url: str, workers: int = 1) -> Server:
    """Return a server on the database at `url`, not yet started."""
    return Server(
        folder,
        AUTH_TYPE="session_db_auth",
        SESSION_NAME=COOKIE,
        DATABASE_URL=url,
        WORKERS=str(workers),
    )


def end_one(server: Server, how: signal.Signals) -> None:
    """Send a signal to a worker; wait until another replaces it."""
    number = len(server.workers())
    one = server.workers()[0]
    os.kill(one, how)
    assert wait_until(
        20,
        lambda: (
            one not in server.workers()
            and len(server.workers()) == number
            and is_serving(server)
        ),
    )


def reasons() -> list[str | None]:
    """Return the reasons of the stored events, the newest first."""
    wanted = EventFilter(kind=EventType.WORKER_EXITED.value)
    return [each.reason for each in fetch_page(wanted, 10).events]


def are_stored(number: int) -> bool:
    """Return True if this number of events is stored."""
    return len(reasons()) == number


@pytest.mark.parametrize("workers", [1, 2])
def test_unexpected_exit_is_logged_counted_and_stored(
    tmp_path: Path, any_database: str, workers: int
) -> None:
    """The cause is recorded; a crash leaves stacks in the log."""
    server = server_on(tmp_path, any_database, workers)
    server.program = ("-c", EXITING)
    server.start()
    try:
        assert samples(server.request("GET", "/metrics").text)[EXITS] == 0
        ends = (signal.SIGSEGV, signal.SIGKILL, signal.SIGUSR1)
        for number, how in enumerate(ends, 1):
            end_one(server, how)
            scraped = samples(server.request("GET", "/metrics").text)
            assert scraped[EXITS] == number
            # The next worker to end may be the one that writes the event.
            assert wait_until(20, partial(are_stored, number))
    finally:
        assert server.stop() == 0
    wanted = ["exit code 3", "SIGKILL", "SIGSEGV"]
    assert reasons() == wanted
    output = "".join(server.output)
    for cause in wanted:
        assert re.search(
            rf"ERROR .*worker-\d \(pid \d+\) ended unexpectedly by {cause}"
            r" at \d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\+00:00",
            output,
        )
    assert "Fatal Python error: Segmentation fault" in output


def test_requested_exit_is_not_reported(
    tmp_path: Path, any_database: str
) -> None:
    """It holds for one worker and for the whole server."""
    server = server_on(tmp_path, any_database, 2).start()
    try:
        end_one(server, signal.SIGTERM)
        scraped = samples(server.request("GET", "/metrics").text)
        assert scraped[EXITS] == 0
    finally:
        assert server.stop() == 0
    assert reasons() == []
    assert "ended unexpectedly" not in "".join(server.output)


def test_exit_without_database_is_stored_later(
    tmp_path: Path, on_postgresql: str, postgresql: PostgreSQL
) -> None:
    """The log and the metric have it at once."""
    server = server_on(tmp_path, on_postgresql).start()
    try:
        engine.close()
        postgresql.stop()
        try:
            end_one(server, signal.SIGSEGV)
            scraped = samples(server.request("GET", "/metrics").text)
            assert scraped[EXITS] == 1
            assert "unexpectedly by SIGSEGV" in "".join(server.output)
        finally:
            postgresql.start()
        assert wait_until(20, lambda: reasons() == ["SIGSEGV"])
    finally:
        assert server.stop() == 0


@pytest.mark.parametrize(
    ("code", "cause"),
    [
        (0, None),
        (-15, None),
        (-11, "SIGSEGV"),
        (-9, "SIGKILL"),
        (1, "exit code 1"),
        (-40, "signal 40"),
    ],
)
def test_exit_code_gives_cause(code: int, cause: str | None) -> None:
    """A signal has its name; a requested exit has no cause."""
    assert exit_cause(code) == cause
