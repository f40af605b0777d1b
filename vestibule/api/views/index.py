#!/usr/bin/env python3
"""Views of the service itself: status, number of users, 401 and 403.

The public signing keys are here too, at their well-known path (RFC 8615)."""

from flask import Blueprint, Response, abort

from vestibule.api.views.blueprint import app_views
from vestibule.db.models.user import User
from vestibule.http.responses import json_response
from vestibule.identity.header import COPY_MAX_AGE, IdentitySigner


@app_views.get("/status")
def status() -> Response:
    """Show that the service is up."""
    return json_response({"status": "OK"})


@app_views.get("/stats")
def stats() -> Response:
    """Show the number of users."""
    return json_response({"users": User.count()})


@app_views.get("/unauthorized")
def unauthorized() -> Response:
    """Answer 401, as to a request without credentials."""
    abort(401)


@app_views.get("/forbidden")
def forbidden() -> Response:
    """Answer 403, as to a request with invalid credentials."""
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
