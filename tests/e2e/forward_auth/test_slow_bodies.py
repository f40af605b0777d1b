#!/usr/bin/env python3
"""Slow bodies through each proxy do not hold up the applications."""

from contextlib import ExitStack

from tests.conftest import Serve
from tests.e2e.forward_auth.conftest import Deploy
from tests.e2e.forward_auth.deployment import (
    EMAIL,
    PASSWORD,
    Deployment,
    reached,
)
from tests.e2e.server.conftest import ADD_USER
from tests.e2e.server.test_slow_clients import (
    BODY_SECONDS,
    THREADS,
    begin_slowly,
    is_healthy_at_once,
)
from tests.e2e.server.waiting import wait_until
from tests.e2e.server.wire import FORM
from tests.serving import DB_SESSIONS, LOGIN, Server

#: Clients that are slow at the same time.
CLIENTS = 3 * THREADS


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
            assert wait_until(5, lambda: has_refused_bodies(server))
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
