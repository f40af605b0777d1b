#!/usr/bin/env python3
"""Websockets through the gate: opened by a session, and by nothing else."""

import json

import pytest

from tests.e2e.forward_auth.gate import EMAIL, LOGOUT, Gate, headers_of

HANDSHAKES = {
    "program": {},
    "browser": {"Sec-Fetch-Mode": "websocket", "Sec-Fetch-Dest": "websocket"},
    "strange": {"Accept": "text/html", "Cookie": "a=b"},
    "forged": {"Remote-User": "admin", "Remote_User": "admin"},
}


def test_both_sides_speak(gate: Gate, cookie: str) -> None:
    """Texts and bytes go both ways; the application knows the user."""
    with gate.websocket(cookie) as socket:
        seen = headers_of(json.loads(socket.recv(10)))
        assert seen["remote-email"] == EMAIL
        assert "websocket" in seen["upgrade"].lower()
        for said in ("hello", "é" * 1000, b"\x00\xff" * 5000, ""):
            socket.send(said)
            assert socket.recv(10) == said


@pytest.mark.parametrize("headers", HANDSHAKES.values(), ids=HANDSHAKES)
def test_who_is_not_signed_in_gets_no_websocket(
    gate: Gate, headers: dict[str, str]
) -> None:
    """The handshake is answered by 401; nobody can follow a redirect."""
    assert gate.refusal(**headers) == 401


def test_no_forged_header_arrives_at_a_websocket(
    gate: Gate, cookie: str
) -> None:
    """Its handshake is a request like others."""
    with gate.websocket(cookie, **HANDSHAKES["forged"]) as socket:
        shown = str(socket.recv(10))
    assert "admin" not in shown
    assert headers_of(json.loads(shown))["remote-email"] == EMAIL


def test_the_identity_cannot_be_taken_off_a_websocket(
    gate: Gate, cookie: str
) -> None:
    """Beside the upgrade, a client may not name what is to be dropped."""
    named = "Upgrade, Remote-User, Remote-Email, Remote-Groups, Cookie"
    with gate.websocket(cookie, Connection=named) as socket:
        seen = headers_of(json.loads(socket.recv(10)))
    assert seen["remote-email"] == EMAIL
    assert "remote" not in seen["connection"].lower()


def test_an_ended_session_opens_none(gate: Gate) -> None:
    """After the logout the next handshake is refused."""
    cookie = gate.sign_in()
    assert gate.refusal(cookie) == 101
    assert gate.request("DELETE", LOGOUT, cookie).status_code == 200
    assert gate.refusal(cookie) == 401
