#!/usr/bin/env python3
"""What other programs look for at a place that they know (RFC 8615)."""

from flask import Blueprint, Response

from api.v1.answers import answer
from vestibule.identity.header import COPY_MAX_AGE, Signing


def well_known(signer: Signing) -> Blueprint:
    """Return the routes that publish the keys of `signer`."""
    routes = Blueprint("well_known", __name__, url_prefix="/.well-known")

    @routes.get("/jwks.json")
    def show_keys() -> Response:
        """Show the keys that check signed identities (RFC 7517)."""
        response = answer({"keys": signer.public_keys()})
        response.headers["Cache-Control"] = (
            f"public, max-age={int(COPY_MAX_AGE.total_seconds())}"
        )
        return response

    return routes
