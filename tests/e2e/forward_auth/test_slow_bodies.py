#!/usr/bin/env python3
"""Slow bodies through each shipped file of a proxy hold up no other client.

The files limit the time of heads and bodies by themselves, too.
"""

import socket
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.conftest import Serve
from tests.e2e.forward_auth.conftest import Deploy, trusting
from tests.e2e.forward_auth.deployment import (
    EMAIL,
    PASSWORD,
    Deployment,
    reached,
)
from tests.e2e.forward_auth.proxies import (
    APPLICATION,
    PROXIES,
    VESTIBULE,
    shipped,
)
from tests.e2e.forward_auth.test_nodes import SECOND_NODE
from tests.e2e.server.conftest import ADD_USER
from tests.e2e.server.test_slow_clients import (
    BODY_SECONDS,
    THREADS,
    begin_slowly,
    is_healthy_at_once,
)
from tests.e2e.server.waiting import wait_until
from tests.e2e.server.wire import FORM
from tests.serving import DB_SESSIONS, LOGIN, SESSIONS, Server

#: Clients that are slow at the same time.
CLIENTS = 3 * THREADS
#: The shipped files that tests can run, and the proxy of each.
FILES = {
    "nginx.conf": "nginx",
    "nodes.nginx.conf": "nginx",
    "Caddyfile": "caddy",
    "nodes.Caddyfile": "caddy",
}
#: The time limits in these files, which the tests shorten to 1 second.
HEAD_LIMITS = {
    "nginx": ("client_header_timeout 10s;", "client_header_timeout 1s;"),
    "caddy": ("read_header 10s", "read_header 1s"),
}
BODY_LIMITS = {
    "nginx.conf": ("client_body_timeout 10s;", "client_body_timeout 1s;"),
    "nodes.nginx.conf": (
        "client_body_timeout 10s;",
        "client_body_timeout 1s;",
    ),
    "Caddyfile": ("read_body 60s", "read_body 1s"),
    "nodes.Caddyfile": ("read_body 10s", "read_body 1s"),
}
#: Seconds in which a proxy ends a slow connection by itself. Vestibule's own
#: limit is longer in these tests.
CUT_SECONDS = 20


def test_slow_bodies_do_not_hold_up_others(
    serve: Serve, deploy: Deploy
) -> None:
    """The application stays reachable, and logins work after a moment."""
    server = serve(
        **DB_SESSIONS,
        BLOCKING_THREADS=str(THREADS),
        BODY_TIMEOUT=str(BODY_SECONDS),
        TRUSTED_PROXIES="127.0.0.1",
    )
    server.run(ADD_USER, EMAIL, PASSWORD)
    deployment = deploy(server)
    cookie = deployment.sign_in()
    head = FORM, b"Content-Length: 1000"
    with ExitStack() as wires:
        for _ in range(CLIENTS):
            wires.enter_context(
                begin_slowly(deployment.proxy.port, LOGIN, *head)
            )
        for _ in range(20):
            assert reached(deployment.get("/", {}, cookie))
        assert is_healthy_at_once(server)
        if deployment.proxy.program == "caddy":
            # Caddy sends on what it has, so Vestibule refuses the rest.
            assert wait_until(20, lambda: has_refused_bodies(server))
        # Late bodies are cut off, and leave room for others.
        assert wait_until(20, lambda: can_sign_in(deployment))
    assert has_refused_bodies(server) is (deployment.proxy.program == "caddy")


def has_refused_bodies(server: Server) -> bool:
    """Return True if the server had too many slow bodies at a time."""
    return any("wait for their bodies" in line for line in server.output)


def can_sign_in(deployment: Deployment) -> bool:
    """Return True if a login works now."""
    try:
        return bool(deployment.sign_in())
    except AssertionError:
        return False


@pytest.fixture(scope="module")
def patient(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """Run a Vestibule that waits for bodies longer than any proxy."""
    folder = tmp_path_factory.mktemp("patient")
    with trusting(folder, BODY_TIMEOUT="600") as server:
        yield server


@pytest.mark.parametrize("file", FILES)
def test_file_limits_the_time_of_heads_and_bodies(
    file: str, patient: Server, tmp_path: Path
) -> None:
    """The proxy ends a slow connection, whatever Vestibule would do."""
    proxy = PROXIES[FILES[file]](tmp_path)
    node = f"127.0.0.1:{patient.port}"
    other = SECOND_NODE if file.startswith("nodes.") else APPLICATION
    limits = dict([HEAD_LIMITS[FILES[file]], BODY_LIMITS[file]])
    proxy.start(shipped(file), limits | {VESTIBULE: node, other: node})
    head = b"POST %b HTTP/1.1\r\nHost: 127.0.0.1\r\n" % LOGIN.encode()
    body = FORM + b"\r\nContent-Length: 1000\r\n\r\nemail=a"
    try:
        for sent in (head + b"X-Sl", head + body):
            address = "127.0.0.1", proxy.port
            with socket.create_connection(address, CUT_SECONDS) as wire:
                wire.sendall(sent)
                while wire.recv(4096):
                    pass
    finally:
        proxy.stop()


@pytest.mark.parametrize("file", [one for one in FILES if "nodes" in one])
def test_slow_bodies_through_a_nodes_file_do_not_hold_up_others(
    file: str, serve: Serve, tmp_path: Path
) -> None:
    """Other clients get their answers, and logins work after a moment."""
    server = serve(
        **DB_SESSIONS,
        BLOCKING_THREADS=str(THREADS),
        BODY_TIMEOUT=str(BODY_SECONDS),
        TRUSTED_PROXIES="127.0.0.1",
    )
    server.run(ADD_USER, EMAIL, PASSWORD)
    proxy = PROXIES[FILES[file]](tmp_path)
    node = f"127.0.0.1:{server.port}"
    proxy.start(shipped(file), {VESTIBULE: node, SECOND_NODE: node})
    deployment = Deployment(proxy, server)
    head = FORM, b"Content-Length: 1000"
    try:
        cookie = deployment.sign_in()
        with ExitStack() as wires:
            for _ in range(CLIENTS):
                wires.enter_context(begin_slowly(proxy.port, LOGIN, *head))
            for _ in range(20):
                answer = deployment.get(SESSIONS, {}, cookie)
                assert answer.status_code == 200
            assert is_healthy_at_once(server)
            assert wait_until(20, lambda: can_sign_in(deployment))
    finally:
        proxy.stop()
    # nginx sends a body on only when it has all of it.
    assert has_refused_bodies(server) is (FILES[file] == "caddy")
