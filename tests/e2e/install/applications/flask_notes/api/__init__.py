#!/usr/bin/env python3
"""The JSON interface of the application."""

from flask import Blueprint, request

from models import NOTES
from vestibule.protect.flask import current_user, login_required

api = Blueprint("api", __name__, url_prefix="/api")


@api.get("/notes")
@login_required
def list_notes():
    """Return the user's notes."""
    return {"notes": NOTES.get(current_user.id, [])}


@api.post("/notes")
@login_required
def add_note():
    """Add a note."""
    NOTES.setdefault(current_user.id, []).append(request.form["text"])
    return {}, 201
