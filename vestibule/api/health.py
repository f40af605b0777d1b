#!/usr/bin/env python3
"""Liveness, readiness and metrics, for programs that monitor the service.

These routes need no authentication, so the responses contain no more than
that, and no cause of a failure: the log has it."""

from flask import Blueprint, Response

from vestibule.core import settings
from vestibule.core.errors import SchemaMismatch
from vestibule.db import health
from vestibule.db.engine import database
from vestibule.http.flask_app import MinimalResponse
from vestibule.http.responses import json_response
from vestibule.metrics.exposition import exposition


def health_routes() -> Blueprint:
    """Return the routes for monitoring the service."""
    routes = Blueprint("probes", __name__)
    routes.get("/healthz")(show_liveness)
    routes.get("/readyz")(show_readiness)
    if settings.METRICS.read():
        routes.get("/metrics")(show_metrics)
    return routes


def show_liveness() -> Response:
    """Show that the process is alive, with or without the database."""
    return json_response({"status": "OK"})


def show_readiness() -> Response:
    """Show that the database answers and has the right schema.

    Raise `DatabaseUnavailable` or `SchemaMismatch`, which become a 503.
    """
    found = health.revision(database())
    if found != health.EXPECTED_REVISION:
        raise SchemaMismatch(
            f"the database is at revision {found},"
            f" not {health.EXPECTED_REVISION}"
        )
    return json_response({"status": "OK"})


def show_metrics() -> Response:
    """Show the metrics in the text format of Prometheus."""
    text, kind = exposition()
    response = MinimalResponse(text)
    response.headers["Content-Type"] = kind
    return response
