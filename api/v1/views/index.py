#!/usr/bin/env python3
"""The service itself: is it there, how much has it, how does it refuse."""

from flask import Response, abort

from api.v1.answers import answer
from api.v1.views.blueprint import app_views
from models.user import User


@app_views.get("/status")
def status() -> Response:
    """Say that the service answers."""
    return answer({"status": "OK"})


@app_views.get("/stats")
def stats() -> Response:
    """Say how many users there are."""
    return answer({"users": User.count()})


@app_views.get("/unauthorized")
def unauthorized() -> Response:
    """Answer as to somebody without a credential."""
    abort(401)


@app_views.get("/forbidden")
def forbidden() -> Response:
    """Answer as to somebody whose credential opens nothing."""
    abort(403)
