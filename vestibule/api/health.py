#!/usr/bin/env python3
"""What a machine asks of the service: is it alive, is it ready, how busy.

Its law: nobody is asked who they are here, so no answer says more than
that, and none has a cause in it: the log has.
"""

from flask import Blueprint, Response

from vestibule.core import settings
from vestibule.core.errors import SchemaMismatch
from vestibule.db import health
from vestibule.db.engine import database
from vestibule.http.flask_app import MinimalResponse
from vestibule.http.responses import json_response
from vestibule.metrics.exposition import exposition


def health_routes() -> Blueprint:
    """Return the routes by which the service is watched."""
    routes = Blueprint("probes", __name__)
    routes.get("/healthz")(show_life)
    routes.get("/readyz")(show_readiness)
    if settings.METRICS.read():
        routes.get("/metrics")(show_metrics)
    return routes


def show_life() -> Response:
    """Say that the process answers, whatever becomes of the database."""
    return json_response({"status": "OK"})


def show_readiness() -> Response:
    """Say that the database answers and has the schema of this version.

    Raise `StoreUnavailable` or `SchemaBehind` where that is not so, which
    becomes a 503.
    """
    found = health.revision(database())
    if found != health.EXPECTED_REVISION:
        raise SchemaMismatch(
            f"the database is at revision {found},"
            f" not {health.EXPECTED_REVISION}"
        )
    return json_response({"status": "OK"})


def show_metrics() -> Response:
    """Show what was counted, as Prometheus reads it."""
    text, kind = exposition()
    response = MinimalResponse(text)
    response.headers["Content-Type"] = kind
    return response
