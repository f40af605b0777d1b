#!/usr/bin/env python3
"""The server as processes: how they end, die, come back, and cope."""

import os
import select
import signal
import socket
import subprocess
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack

import pytest
import requests

from tests.conftest import Serve
from tests.e2e.server.conftest import ADD_USER, EMAIL, PASSWORD
from tests.e2e.server.server_state import defect_lines, has_signed_in, rows_of
from tests.e2e.server.waiting import is_alive, is_serving, wait_until
from tests.e2e.server.wire import CHUNKED, FORM, begin, chunks, finish
from tests.serving import COOKIE, Server
from vestibule.server import worker

SETTINGS = {"AUTH_TYPE": "session_db_auth", "SESSION_NAME": COOKIE}
ME = "/api/v1/users/me"
#: Seconds that the requests in flight have under `HASTY`.
DRAIN = 4
#: The server, with less time to drain than people should be given.
HASTY = f"""
from vestibule.server.granian import main
from vestibule import server
server.DRAIN_TIMEOUT = {DRAIN}
main()
"""
#: The server, where granian misses that all is answered.
FORGETFUL = """
import threading
from types import SimpleNamespace
from granian.server import mp
class Missed(threading.Event):
    def set(self):
        pass
mp.threading = SimpleNamespace(Event=Missed)
from vestibule.server.granian import main
main()
"""
#: The server, whose workers take a while until they are their own.
SLOW = """
import os, time
os.register_at_fork(after_in_child=lambda: time.sleep(1))
from vestibule.server.granian import main
main()
"""


def sign_in(server: Server) -> requests.Response:
    """Log in and return the answer, whatever it is."""
    return server.request(
        "POST",
        "/api/v1/auth_session/login",
        data={"email": EMAIL, "password": PASSWORD},
    )


@pytest.mark.parametrize("ending", [signal.SIGTERM, signal.SIGINT])
def test_what_is_in_flight_is_finished(
    serve: Serve, ending: signal.Signals
) -> None:
    """A signal to end lets logins that are being hashed come to theirs."""
    server = serve(**SETTINGS, BLOCKING_THREADS="32")
    server.run(ADD_USER, EMAIL, PASSWORD)
    form = f"email={EMAIL}&password={PASSWORD}".encode()
    logins = 12
    with ExitStack() as wires:
        flying = [
            wires.enter_context(
                begin(
                    server.port,
                    "POST",
                    b"/api/v1/auth_session/login",
                    [FORM],
                    form,
                )
            )
            for _ in range(logins)
        ]
        # The first is answered while others are still being hashed.
        answered = select.select(flying, [], [], 20)[0]
        assert 0 < len(answered) < logins
        server.process.send_signal(ending)
        statuses = {finish(wire, "POST").status for wire in flying}
    assert statuses == {200}
    assert server.process.wait(20) == 0
    assert server.stop() == 0
    assert len(rows_of(server.folder)["user_sessions"]) == logins
    assert defect_lines(server) == []


def test_a_killed_worker_is_replaced(serve: Serve) -> None:
    """A worker that is killed, and again at once, comes back within five
    seconds each time, and sessions in the database live on.
    """
    server = serve(**SETTINGS)
    server.run(ADD_USER, EMAIL, PASSWORD)
    session = server.login(EMAIL, PASSWORD)
    parent = server.process.pid
    for _ in range(3):
        [one] = server.workers()
        os.kill(one, signal.SIGKILL)
        assert wait_until(
            5,
            lambda dead=one: (  # type: ignore[misc]
                not is_alive(dead) and is_serving(server)
            ),
        )
        me = server.request("GET", ME, cookie=session)
        assert me.status_code == 200
    assert server.process.pid == parent and server.process.poll() is None
    server.login(EMAIL, PASSWORD)
    assert server.stop() == 0
    assert defect_lines(server) == []


@pytest.mark.parametrize("moment", ["as it dies", "as all start anew"])
def test_a_dead_worker_does_not_swallow_the_end(
    serve: Serve, moment: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A signal to end counts, whatever the workers are at just then."""
    monkeypatch.setattr(Server, "program", ("-c", HASTY))
    server = serve(**SETTINGS)
    for _ in range(1 if moment == "as it dies" else 2):
        assert wait_until(5, lambda: bool(server.workers()))
        [one] = server.workers()
        os.kill(one, signal.SIGKILL)
        if moment != "as it dies":
            assert wait_until(
                5,
                lambda dead=one: (  # type: ignore[misc]
                    dead not in server.workers()
                ),
            )
    if moment != "as it dies":
        assert wait_until(
            5,
            lambda: any(
                "starting anew" in line for line in list(server.output)
            ),
        )
    server.process.send_signal(signal.SIGTERM)
    assert server.process.wait(DRAIN + 15) == 0
    assert server.stop() == 0
    assert not is_serving(server)


def test_a_worker_just_born_hears_the_end(
    serve: Serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It does not take a signal for its parent's, and lose it."""
    monkeypatch.setattr(Server, "program", ("-c", SLOW))
    server = serve(**SETTINGS)
    [one] = server.workers()
    os.kill(one, signal.SIGKILL)
    assert wait_until(5, lambda: one not in server.workers() != [])
    server.process.send_signal(signal.SIGTERM)
    assert server.process.wait(15) == 0
    assert server.stop() == 0


def test_a_worker_that_is_done_ends(
    serve: Serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also if granian does not end it; what happened is written first.

    While somebody is still there it goes on.
    """
    monkeypatch.setattr(Server, "program", ("-c", FORGETFUL))
    server = serve(**SETTINGS)
    server.run(ADD_USER, EMAIL, PASSWORD)
    login = b"/api/v1/auth_session/login"
    with begin(server.port, "POST", login, [FORM, CHUNKED]) as wire:
        # The server has read its head when it answers somebody else.
        assert is_serving(server)
        server.process.send_signal(signal.SIGTERM)
        assert wait_until(10, lambda: not is_serving(server))
        with pytest.raises(subprocess.TimeoutExpired):
            server.process.wait(
                2
                * worker.IDLE_LOOKS_BEFORE_EXIT
                * worker.WATCH_INTERVAL_SECONDS
            )
        wire.sendall(chunks(f"email={EMAIL}&password={PASSWORD}".encode()))
        assert finish(wire, "POST").status == 200
    assert server.process.wait(15) == 0
    assert server.stop() == 0
    assert has_signed_in(server.folder)
    assert defect_lines(server) == []


def test_one_of_two_workers_may_die(serve: Serve) -> None:
    """Two workers share the sessions, and one alone goes on with them."""
    server = serve(**SETTINGS, WORKERS="2")
    server.run(ADD_USER, EMAIL, PASSWORD)
    session = server.login(EMAIL, PASSWORD)
    first, second = server.workers()
    for _ in range(30):
        me = server.request("GET", ME, cookie=session)
        assert me.status_code == 200
    os.kill(first, signal.SIGKILL)
    assert wait_until(5, lambda: not is_alive(first) and is_serving(server))
    assert wait_until(5, lambda: len(server.workers()) == 2)
    assert second in server.workers()
    assert server.request("GET", ME, cookie=session).status_code == 200
    logout = server.request(
        "DELETE", "/api/v1/auth_session/logout", cookie=session
    )
    assert logout.status_code == 200
    for _ in range(30):
        me = server.request("GET", ME, cookie=session)
        assert me.status_code == 403


def test_workers_end_with_their_parent(serve: Serve) -> None:
    """No orphan answers beside the server that is started next."""
    server = serve(**SETTINGS, WORKERS="2")
    workers = server.workers()
    assert len(workers) == 2
    server.process.kill()
    try:
        assert wait_until(2, lambda: not any(is_alive(pid) for pid in workers))
    finally:
        for pid in filter(is_alive, workers):
            os.kill(pid, signal.SIGKILL)
        server.kill()
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        probe.bind(("127.0.0.1", server.port))


def test_a_storm_of_logins_leaves_room(serve: Serve) -> None:
    """Too many logins are told to come back, and nobody else waits."""
    server = serve(**SETTINGS, BLOCKING_THREADS="8")
    server.run(ADD_USER, EMAIL, PASSWORD)
    session = server.login(EMAIL, PASSWORD)
    over = threading.Event()
    seen: list[tuple[int, float]] = []

    def look() -> None:
        """Ask again and again who one is, and how long that takes."""
        while not over.is_set():
            begun = time.monotonic()
            status = server.request("GET", ME, cookie=session).status_code
            seen.append((status, time.monotonic() - begun))

    watcher = threading.Thread(target=look)
    watcher.start()
    try:
        with ThreadPoolExecutor(40) as crowd:
            logins = list(crowd.map(sign_in, [server] * 80))
    finally:
        over.set()
        watcher.join()
    statuses = [login.status_code for login in logins]
    assert set(statuses) == {200, 503}
    assert all(
        int(login.headers["Retry-After"]) >= 1
        and login.json() == {"error": "Service Unavailable"}
        for login in logins
        if login.status_code == 503
    )
    assert {status for status, _ in seen} == {200}
    assert max(took for _, took in seen) < 5
    assert sign_in(server).status_code == 200
    assert defect_lines(server) == []


@pytest.mark.parametrize("mechanism", ["session_exp_auth", "session_db_auth"])
def test_expired_sessions_vanish_unasked(serve: Serve, mechanism: str) -> None:
    """The server drops dead sessions without a request that would."""
    server = serve(
        AUTH_TYPE=mechanism,
        SESSION_NAME=COOKIE,
        SESSION_DURATION="1",
        SESSION_PURGE_INTERVAL="1",
    )
    server.run(ADD_USER, EMAIL, PASSWORD)
    session = server.login(EMAIL, PASSWORD)
    stored = len(rows_of(server.folder)["user_sessions"])
    assert stored == (mechanism == "session_db_auth")
    assert wait_until(
        6,
        lambda: any(
            "dropped 1 expired sessions" in line
            for line in list(server.output)
        ),
    )
    assert rows_of(server.folder)["user_sessions"] == []
    me = server.request("GET", ME, cookie=session)
    assert me.status_code == 403
    assert defect_lines(server) == []
