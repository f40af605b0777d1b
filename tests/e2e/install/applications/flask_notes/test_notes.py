#!/usr/bin/env python3
"""Tests of the application, without a server."""

from app import app


def test_notes_belong_to_their_user(sign_in_as):
    """Each user sees the own notes."""
    client = app.test_client()
    assert client.get("/api/notes").status_code == 401
    sign_in_as(client, "bob@example.com", first_name="Bob")
    assert client.post("/api/notes", data={"text": "milk"}).status_code == 201
    assert "<li>milk</li>" in client.get("/notes").text
    assert client.get("/admin/").status_code == 403
    sign_in_as(client, "ada@example.com", role="admin")
    assert client.get("/api/notes").json == {"notes": []}
    assert "<b>1</b>" in client.get("/admin/").text
    sign_in_as(client, is_recent=False)
    assert client.get("/export").status_code == 403
