#!/usr/bin/env python3
"""Tests of the application, without a server."""

import pytest
from app import app
from fastapi.testclient import TestClient
from starlette.websockets import WebSocketDisconnect

from api import vestibule
from vestibule.protect.verify_response import Principal


def test_notes_belong_to_their_user(sign_in_as):
    """Each user sees the own notes."""
    with TestClient(app) as client:
        assert app.state.is_started
        assert client.get("/api/notes").status_code == 401
        sign_in_as(client, "bob@example.com", first_name="Bob")
        added = client.post("/api/notes", json={"text": "milk"})
        assert added.status_code == 201
        assert client.get("/api/notes").json() == {"notes": ["milk"]}
        assert "Hello Bob" in client.get("/").text
        assert client.get("/admin/").status_code == 403
        sign_in_as(client, "ada@example.com", role="admin")
        assert "<b>1</b>" in client.get("/admin/").text


def test_websocket_ends_with_session(sign_in_as, fake_vestibule):
    """It is closed soon after."""
    with TestClient(app) as client:
        sign_in_as(client, first_name="Bob")
        with client.websocket_connect("/api/live") as websocket:
            websocket.send_text("hi")
            assert websocket.receive_text() == "Bob: hi"
            fake_vestibule.end_sessions()
            with pytest.raises(WebSocketDisconnect):
                websocket.receive_text()


def test_override_holds_for_admins():
    """A test can replace the user by FastAPI's own means."""
    ada = Principal("1", "ada@example.com", role="admin")
    app.dependency_overrides[vestibule.current_user] = lambda: ada
    try:
        with TestClient(app) as client:
            assert client.get("/admin/").status_code == 200
    finally:
        app.dependency_overrides.clear()
