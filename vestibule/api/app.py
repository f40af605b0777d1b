#!/usr/bin/env python3
"""The application: the parts above and below put together, and its start.

`app` and `auth` are made when they are first asked for (PEP 562), from
the settings of that moment: importing this module opens and starts
nothing, and `python3 -m vestibule.api.app` makes one application, not one for
`__main__` and another for the views that import `auth` from here.
"""

import sys
from collections.abc import Callable
from functools import cache
from typing import Any

from flask import Flask, Response

from vestibule.accounts.throttle import throttle
from vestibule.api.health import health_routes
from vestibule.api.openapi.routes import openapi_routes
from vestibule.api.views import app_views
from vestibule.api.views.index import well_known_routes
from vestibule.audit import log, writer
from vestibule.core import settings
from vestibule.http import access, errors
from vestibule.http.flask_app import MinimalFlask
from vestibule.http.headers import ResponseHeaders
from vestibule.http.request import current_request, is_tls
from vestibule.http.request_metrics import count_requests
from vestibule.http.responses import WSGIApplication
from vestibule.http.verify import ForwardAuth
from vestibule.identity.header import open_signer
from vestibule.mechanisms import mechanism_for
from vestibule.mechanisms.auth import Auth
from vestibule.mechanisms.session_auth import SessionAuth
from vestibule.sessions.sweeper import Sweeper
from vestibule.web import install as web
from vestibule.web.routes import has_pages

#: Bytes of a request's body; more is refused with 413.
BODY_LIMIT = 1_048_576


def create_app(auth: Auth | None) -> Flask:
    """Return an application guarded by the mechanism `auth`.

    Its filter and its views ask this module for `auth` at each request,
    so whoever replaces it here replaces it for all of them.
    """
    app = MinimalFlask(__name__, static_folder=None)
    app.config["MAX_CONTENT_LENGTH"] = BODY_LIMIT
    app.url_map.strict_slashes = False
    app.url_map.merge_slashes = False
    app.register_blueprint(app_views)
    app.register_blueprint(health_routes())
    if settings.API_DOCS.read():
        app.register_blueprint(openapi_routes(auth))
    errors.install(app)
    with_pages = has_pages(None if auth is None else type(auth))
    if with_pages:
        web.install(app)
    signer = open_signer()
    if signer is not None:
        app.register_blueprint(well_known_routes(signer))
    sweeper = Sweeper(_sweep_of(auth))

    @app.before_request
    def filter_request() -> Response | None:
        """Let the request pass as somebody, or answer in its place."""
        sweeper.ensure_running()
        # `flask.request` would look the context up at each attribute.
        request = current_request()
        if with_pages and web.is_page(request):
            return web.require_page_authentication(_module().auth, request)
        access.require_authentication(_module().auth, request)
        return None

    log.set_listener(writer.enqueue)

    def judging() -> Auth | None:
        """Return who judges, in a process that sweeps from now on."""
        sweeper.ensure_running()
        found: Auth | None = _module().auth
        return found

    whole: WSGIApplication = ForwardAuth(
        app.wsgi_app, judging, signer, ResponseHeaders(is_tls)
    )
    if settings.METRICS.read():
        whole = count_requests(whole)
    app.wsgi_app = whole  # type: ignore[method-assign]
    return app


def _sweep_of(auth: Auth | None) -> Callable[[], int]:
    """Return what drops the dead sessions of `auth`, and what is old."""
    purge_expired = getattr(auth, "purge_expired", None)

    def sweep() -> int:
        """Drop sessions, counters and events; count the sessions."""
        try:
            return 0 if purge_expired is None else purge_expired()
        finally:
            throttle().purge()
            writer.purge()
            if isinstance(auth, SessionAuth):
                writer.record_session_count(auth.store.count())

    return sweep


@cache
def _built() -> tuple[Flask, Auth | None]:
    """Make the application and its mechanism from the settings, once."""
    mechanism = mechanism_for(settings.AUTH_TYPE.read())
    auth = None if mechanism is None else mechanism()
    return create_app(auth), auth


def _module() -> Any:
    """Return this module as others import it."""
    return sys.modules["vestibule.api.app"]


def __getattr__(name: str) -> Any:
    """Return `app` or `auth`, made at first use."""
    if name == "app":
        return _built()[0]
    if name == "auth":
        return _built()[1]
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
