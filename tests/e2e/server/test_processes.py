#!/usr/bin/env python3
"""Server processes: shutdown, crash, restart, overload."""

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
from tests.e2e.server.wire import FORM, begin, finish
from tests.serving import DB_SESSIONS, ME, Server
from vestibule.server import worker

SETTINGS = {**DB_SESSIONS}
#: Seconds to finish requests in flight under `SHORT_SHUTDOWN`.
DRAIN = 4
#: The server with a short shutdown timeout.
SHORT_SHUTDOWN = f"""
from vestibule.server import granian
granian.SHUTDOWN_TIMEOUT_SECONDS = {DRAIN}
granian.main()
"""
#: The server, where granian does not notice that all responses are sent.
MISSED_EVENTS = """
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
#: The server, whose workers take a second to start after the fork.
SLOW_FORK = """
import os, time
os.register_at_fork(after_in_child=lambda: time.sleep(1))
from vestibule.server.granian import main
main()
"""


def post_login(server: Server) -> requests.Response:
    """Log in and return the response."""
    return server.request(
        "POST",
        "/api/v1/auth_session/login",
        data={"email": EMAIL, "password": PASSWORD},
    )


@pytest.mark.parametrize("ending", [signal.SIGTERM, signal.SIGINT])
def test_requests_in_flight_are_finished_at_shutdown(
    serve: Serve, ending: signal.Signals
) -> None:
    """After SIGTERM or SIGINT, logins that are being hashed get their
    response.
    """
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
        # The first has its response while others are still being hashed.
        answered = select.select(flying, [], [], 20)[0]
        assert 0 < len(answered) < logins
        server.process.send_signal(ending)
        statuses = {finish(wire, "POST").status for wire in flying}
    assert statuses == {200}
    assert server.process.wait(20) == 0
    assert server.stop() == 0
    assert len(rows_of(server.folder)["user_sessions"]) == logins
    assert defect_lines(server) == []


def test_killed_worker_is_replaced(serve: Serve) -> None:
    """A worker that is killed repeatedly is back within five seconds each
    time, and sessions in the database stay valid.
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
def test_dead_worker_does_not_block_shutdown(
    serve: Serve, moment: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """SIGTERM ends the server in any state of its workers."""
    monkeypatch.setattr(Server, "program", ("-c", SHORT_SHUTDOWN))
    server = serve(**SETTINGS)
    for _ in range(1 if moment == "as it dies" else 2):
        assert wait_until(20, lambda: bool(server.workers()))
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
                "restarting the server" in line for line in list(server.output)
            ),
        )
    server.process.send_signal(signal.SIGTERM)
    assert server.process.wait(DRAIN + 15) == 0
    assert server.stop() == 0
    assert not is_serving(server)


def test_new_worker_receives_shutdown_signal(
    serve: Serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A worker that has just been forked does not lose the signal."""
    monkeypatch.setattr(Server, "program", ("-c", SLOW_FORK))
    server = serve(**SETTINGS)
    [one] = server.workers()
    os.kill(one, signal.SIGKILL)
    assert wait_until(20, lambda: one not in server.workers() != [])
    server.process.send_signal(signal.SIGTERM)
    assert server.process.wait(15) == 0
    assert server.stop() == 0


def test_idle_worker_exits_by_itself(
    serve: Serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A worker ends even if granian does not end it, and writes its events
    first. It goes on while a client is connected.
    """
    monkeypatch.setattr(Server, "program", ("-c", MISSED_EVENTS))
    server = serve(**SETTINGS)
    server.run(ADD_USER, EMAIL, PASSWORD)
    login = b"/api/v1/auth_session/login"
    form = f"email={EMAIL}&password={PASSWORD}".encode()
    head = [FORM, b"Content-Length: %d" % len(form)]
    with begin(server.port, "POST", login, head) as wire:
        # The server has read the head when it responds to another client.
        assert is_serving(server)
        server.process.send_signal(signal.SIGTERM)
        assert wait_until(10, lambda: not is_serving(server))
        with pytest.raises(subprocess.TimeoutExpired):
            server.process.wait(
                2
                * worker.IDLE_CHECKS_BEFORE_EXIT
                * worker.WATCH_INTERVAL_SECONDS
            )
        wire.sendall(form)
        assert finish(wire, "POST").status == 200
    assert server.process.wait(15) == 0
    assert server.stop() == 0
    assert has_signed_in(server.folder)
    assert defect_lines(server) == []


def test_two_workers_share_sessions_and_one_may_die(serve: Serve) -> None:
    """The remaining worker continues with all sessions."""
    server = serve(**SETTINGS, WORKERS="2")
    server.run(ADD_USER, EMAIL, PASSWORD)
    session = server.login(EMAIL, PASSWORD)
    first, second = server.workers()
    for _ in range(30):
        me = server.request("GET", ME, cookie=session)
        assert me.status_code == 200
    os.kill(first, signal.SIGKILL)
    assert wait_until(20, lambda: not is_alive(first) and is_serving(server))
    assert wait_until(20, lambda: len(server.workers()) == 2)
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
    """No orphaned worker responds beside the server that starts next."""
    server = serve(**SETTINGS, WORKERS="2")
    workers = server.workers()
    assert len(workers) == 2
    server.process.kill()
    try:
        assert wait_until(
            20, lambda: not any(is_alive(pid) for pid in workers)
        )
    finally:
        for pid in filter(is_alive, workers):
            os.kill(pid, signal.SIGKILL)
        server.kill()
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        probe.bind(("127.0.0.1", server.port))


def test_login_overload_does_not_delay_other_requests(serve: Serve) -> None:
    """Excess logins get 503 with `Retry-After`; other requests succeed."""
    server = serve(**SETTINGS, BLOCKING_THREADS="8")
    server.run(ADD_USER, EMAIL, PASSWORD)
    session = server.login(EMAIL, PASSWORD)
    over = threading.Event()
    seen: list[tuple[int, float]] = []

    def use_session() -> None:
        """Use the session repeatedly and record status and duration."""
        while not over.is_set():
            begun = time.monotonic()
            status = server.request("GET", ME, cookie=session).status_code
            seen.append((status, time.monotonic() - begun))

    watcher = threading.Thread(target=use_session)
    watcher.start()
    try:
        with ThreadPoolExecutor(40) as pool:
            logins = list(pool.map(post_login, [server] * 80))
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
    assert post_login(server).status_code == 200
    assert defect_lines(server) == []


def test_sweeper_drops_expired_sessions(serve: Serve) -> None:
    """The server drops expired sessions without any request."""
    server = serve(
        **SETTINGS, SESSION_DURATION="1", SESSION_PURGE_INTERVAL="1"
    )
    server.run(ADD_USER, EMAIL, PASSWORD)
    session = server.login(EMAIL, PASSWORD)
    assert len(rows_of(server.folder)["user_sessions"]) == 1
    assert wait_until(
        6,
        lambda: any(
            "deleted 1 expired sessions" in line
            for line in list(server.output)
        ),
    )
    assert rows_of(server.folder)["user_sessions"] == []
    me = server.request("GET", ME, cookie=session)
    assert me.status_code == 403
    assert defect_lines(server) == []
