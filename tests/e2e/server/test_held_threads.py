#!/usr/bin/env python3
"""The health check is answered whatever holds the request threads."""

import os
import signal
import threading
from pathlib import Path

import pytest
import requests

from tests.backends import PostgreSQL
from tests.conftest import Serve
from tests.e2e.server.conftest import ADD_USER, EMAIL, PASSWORD
from tests.e2e.server.test_database_outages import limit_file_size
from tests.e2e.server.test_slow_clients import is_healthy_at_once
from tests.e2e.server.waiting import wait_until
from tests.serving import DB_SESSIONS, ME, Server

#: More requests than the server has threads.
REQUESTS = 12
THREADS = "8"


def processes_of(postgresql: PostgreSQL) -> list[int]:
    """Return the pids of a PostgreSQL server and its processes."""
    parent = postgresql.pid
    tasks = Path(f"/proc/{parent}/task").glob("*/children")
    return [
        parent,
        *(int(pid) for task in tasks for pid in task.read_text().split()),
    ]


def test_health_does_not_wait_for_frozen_database(
    serve: Serve, postgresql: PostgreSQL, on_postgresql: str
) -> None:
    """It is answered while each thread waits for PostgreSQL; a request that
    waited too long gets 503, and when to try again.
    """
    server = serve(
        **DB_SESSIONS,
        DATABASE_URL=on_postgresql,
        BLOCKING_THREADS=THREADS,
        DATABASE_TIMEOUT="2000",
    )
    server.run(ADD_USER, EMAIL, PASSWORD)
    session = server.login(EMAIL, PASSWORD)
    frozen = processes_of(postgresql)
    answers: list[requests.Response] = []

    def ask() -> None:
        """Send a request that needs the database."""
        answers.append(server.request("GET", "/api/v1/stats", session))

    waiting = [threading.Thread(target=ask) for _ in range(REQUESTS)]
    for pid in frozen:
        os.kill(pid, signal.SIGSTOP)
    try:
        for thread in waiting:
            thread.start()
        assert wait_until(20, lambda: is_healthy_at_once(server))
        assert any(thread.is_alive() for thread in waiting)
        # DATABASE_TIMEOUT ends the waits, not the database.
        waiting[0].join(30)
    finally:
        for pid in reversed(frozen):
            os.kill(pid, signal.SIGCONT)
    for thread in waiting:
        thread.join(30)
    refused = [one for one in answers if one.status_code != 200]
    assert len(answers) == REQUESTS and refused
    for answer in refused:
        assert answer.status_code == 503
        assert int(answer.headers["Retry-After"]) >= 1
    assert server.request("GET", ME, cookie=session).status_code == 200


def test_health_does_not_need_the_disk(tmp_path: Path) -> None:
    """It is answered while no file can grow."""
    server = Server(tmp_path, **DB_SESSIONS)
    server.start(preexec=limit_file_size)
    try:
        assert is_healthy_at_once(server)
    finally:
        assert server.stop() == 0


@pytest.mark.parametrize("path", ["/healthz", "/healthz/"])
def test_health_is_never_cached(serve: Serve, path: str) -> None:
    """The response is JSON, also to a client that wants a page."""
    server = serve()
    answer = server.request("GET", path, headers={"Accept": "text/html"})
    assert answer.json() == {"status": "OK"}
    assert answer.headers["Content-Type"] == "application/json"
    assert "no-store" in answer.headers["Cache-Control"]
    assert server.request("HEAD", path).status_code == 200
    for other in ("/healthz/../api", "/healthz/index.json/x", "/healthzz"):
        assert server.request("GET", other).status_code == 404
