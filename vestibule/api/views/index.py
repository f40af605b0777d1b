#!/usr/bin/env python3
"""The service itself: is it there, how much has it, how does it refuse.

What other programs look for at a place that they know (RFC 8615).
"""

from flask import Blueprint, Response, abort

from vestibule.api.views.blueprint import app_views
from vestibule.db.models.user import User
from vestibule.http.responses import json_response
from vestibule.identity.header import COPY_MAX_AGE, IdentitySigner


@app_views.get("/status")
def status() -> Response:
    """Say that the service answers."""
    return json_response({"status": "OK"})


@app_views.get("/stats")
def stats() -> Response:
    """Say how many users there are."""
    return json_response({"users": User.count()})


@app_views.get("/unauthorized")
def unauthorized() -> Response:
    """Answer as to somebody without a credential."""
    abort(401)


@app_views.get("/forbidden")
def forbidden() -> Response:
    """Answer as to somebody whose credential opens nothing."""
    abort(403)


def well_known_routes(signer: IdentitySigner) -> Blueprint:
    """Return the routes that publish the keys of `signer`."""
    routes = Blueprint("well_known", __name__, url_prefix="/.well-known")

    @routes.get("/jwks.json")
    def show_keys() -> Response:
        """Show the keys that check signed identities (RFC 7517)."""
        response = json_response({"keys": signer.public_keys()})
        response.headers["Cache-Control"] = (
            f"public, max-age={int(COPY_MAX_AGE.total_seconds())}"
        )
        return response

    return routes
