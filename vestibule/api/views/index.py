#!/usr/bin/env python3
"""Views of the service itself: status, health, metrics, public keys.

The routes for monitoring need no authentication, so their responses contain
no cause of a failure: the log has it. The public signing keys are at their
well-known path (RFC 8615)."""

import threading

from flask import Blueprint, Response, abort

from vestibule.core import page_settings, settings
from vestibule.core.errors import SchemaMismatch
from vestibule.db import migrate
from vestibule.db.engine import database
from vestibule.db.models.user import User
from vestibule.db.statements import check_writes
from vestibule.http.access import deny
from vestibule.http.flask_app import MinimalResponse
from vestibule.http.request import is_client_within
from vestibule.http.responses import json_response
from vestibule.identity.header import COPY_MAX_AGE, IdentitySigner
from vestibule.metrics.exposition import exposition

#: Set while the server drains: it still serves, but is not ready for more.
draining = threading.Event()

app_views = Blueprint("app_views", __name__, url_prefix="/api/v1")


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


def health_routes() -> Blueprint:
    """Return the routes for monitoring the service, and for browsers."""
    routes = Blueprint("probes", __name__)
    routes.get("/.well-known/webauthn")(show_passkey_origins)
    routes.get("/healthz")(show_liveness)
    routes.get("/readyz")(show_readiness)
    if settings.METRICS.read():
        routes.get("/metrics")(show_metrics)
    return routes


def show_passkey_origins() -> Response:
    """Show the origins whose pages may use the passkeys.

    Browsers ask for them by Web Authentication, Level 3, 5.11.
    """
    origins = page_settings.PASSKEY_ORIGINS.read()
    if not origins:
        abort(404)
    return json_response({"origins": list(origins)})


def show_liveness() -> Response:
    """Show that the process is alive, with or without the database.

    Under `vestibule.server` granian answers this before any thread is
    needed; under other servers it is a request like others.
    """
    return json_response({"status": "OK"})


def show_readiness() -> Response:
    """Show that the database takes writes and has the right schema.

    Raise `DatabaseUnavailable` or `SchemaMismatch`, which become a 503. So
    does a server that is about to end.
    """
    if draining.is_set():
        return json_response({"error": "Service Unavailable"}, 503)
    found = migrate.schema(database())
    if not found.is_current:
        raise SchemaMismatch(
            f"the database is at revision {found.revision},"
            f" not {migrate.EXPECTED_REVISION}"
        )
    check_writes(database())
    return json_response({"status": "OK"})


def show_metrics() -> Response:
    """Show the metrics in the text format of Prometheus.

    Only to the networks of `METRICS_NETWORKS`, if these are limited.
    """
    networks = settings.METRICS_NETWORKS.read()
    if networks is not None and not is_client_within(networks):
        deny("metrics_networks")
    text, kind = exposition()
    response = MinimalResponse(text)
    response.headers["Content-Type"] = kind
    return response
