#!/usr/bin/env python3
"""Websockets through the proxy need a session."""

import json

import pytest

from tests.e2e.forward_auth.deployment import EMAIL, Deployment, headers_of
from tests.e2e.forward_auth.test_forged_headers import is_refused

HANDSHAKES = {
    "program": {},
    "browser": {"Sec-Fetch-Mode": "websocket", "Sec-Fetch-Dest": "websocket"},
    "strange": {"Accept": "text/html", "Cookie": "a=b"},
    "forged": {"Remote_User": "admin", "Remote.User": "admin"},
}


def test_websocket_forwards_messages_and_identity(
    deployment: Deployment, cookie: str
) -> None:
    """Texts and bytes pass both ways; the application knows the user."""
    with deployment.websocket(cookie) as socket:
        seen = headers_of(json.loads(socket.recv(10)))
        assert seen["remote-email"] == EMAIL
        assert "websocket" in seen["upgrade"].lower()
        for said in ("hello", "é" * 1000, b"\x00\xff" * 5000, ""):
            socket.send(said)
            assert socket.recv(10) == said


@pytest.mark.parametrize("headers", HANDSHAKES.values(), ids=HANDSHAKES)
def test_websocket_without_session_gets_401(
    deployment: Deployment, headers: dict[str, str]
) -> None:
    """The handshake gets a 401, because clients do not follow redirects."""
    assert deployment.websocket_status(**headers) == 401


def test_forged_header_does_not_reach_websocket(
    deployment: Deployment, cookie: str
) -> None:
    """The handshake is checked like other requests."""
    with deployment.websocket(cookie, **HANDSHAKES["forged"]) as socket:
        shown = str(socket.recv(10))
    assert "admin" not in shown
    assert headers_of(json.loads(shown))["remote-email"] == EMAIL


def test_identity_header_of_client_opens_no_websocket_as_another(
    deployment: Deployment, cookie: str
) -> None:
    """Nginx refuses the handshake, and Caddy removes the header."""
    forged = {"Remote-User": "admin"}
    if is_refused(deployment, "Remote-User"):
        assert deployment.websocket_status(cookie, **forged) == 400
        assert deployment.websocket_status(**forged) == 400
        return
    assert deployment.websocket_status(**forged) == 401
    with deployment.websocket(cookie, **forged) as socket:
        shown = str(socket.recv(10))
    assert "admin" not in shown


def test_connection_header_does_not_drop_websocket_identity(
    deployment: Deployment, cookie: str
) -> None:
    """Besides `Upgrade`, a client may not declare headers hop-by-hop."""
    named = "Upgrade, Remote-User, Remote-Email, Remote-Groups, Cookie"
    with deployment.websocket(cookie, Connection=named) as socket:
        seen = headers_of(json.loads(socket.recv(10)))
    assert seen["remote-email"] == EMAIL
    assert "remote" not in seen["connection"].lower()
