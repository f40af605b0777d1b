#!/usr/bin/env python3
"""The application: its parts put together.

`app` and `auth` are created at first use (PEP 562), from the settings of
that moment, so importing this module opens and starts nothing.
"""

import os
import sys
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from functools import cache
from typing import Any

from flask import Flask, Response

from vestibule.api.openapi.routes import openapi_routes
from vestibule.api.views import app_views
from vestibule.api.views.index import health_routes, well_known_routes
from vestibule.audit import log, writer
from vestibule.checks.startup import check_embedded
from vestibule.core import page_settings, settings
from vestibule.core.request_headers import is_tls
from vestibule.db import session_queries
from vestibule.http import access, responses
from vestibule.http.flask_app import MinimalFlask
from vestibule.http.login import cookie_cleared_without_database
from vestibule.http.middleware import (
    ResponseHeaders,
    add_headers,
    count_requests,
)
from vestibule.http.request import below_base_path, current_request
from vestibule.http.responses import WSGIApplication
from vestibule.http.user_response import MeShortcut, ResponseCache
from vestibule.http.verify import ForwardAuth
from vestibule.identity.header import IdentitySigner, open_signer
from vestibule.mail.outbox import mail_sender
from vestibule.mechanisms import mechanism_for
from vestibule.mechanisms.auth import Auth
from vestibule.mechanisms.session_mechanism import sweep_for
from vestibule.sessions.sweeper import Sweeper
from vestibule.web import install as web
from vestibule.web.routes import has_pages

#: Bytes of a request's body; more gets 413.
MAX_BODY_BYTES = 1_048_576
#: Where users end their sessions. A browser forgets its session there, also
#: if the database cannot even be read.
_SIGN_OUT_ENDPOINTS = {
    "app_views.logout",
    "pages.sign_out",
    "pages.sign_out_everywhere",
}


def create_app(auth: Auth | None) -> Flask:
    """Return an application guarded by the mechanism `auth`.

    The filter and the views read `auth` from this module at each request,
    so a test that replaces it here replaces it for all of them.
    """
    app = MinimalFlask(__name__, static_folder=None)
    app.config["MAX_CONTENT_LENGTH"] = MAX_BODY_BYTES
    app.url_map.strict_slashes = app.url_map.merge_slashes = False
    app.register_blueprint(app_views)
    app.register_blueprint(health_routes())
    if page_settings.API_DOCS.read():
        app.register_blueprint(openapi_routes(auth))
    responses.install_error_handlers(app)
    with_pages = has_pages(None if auth is None else type(auth))
    if with_pages:
        web.install(app)
    signer = open_signer()
    if signer is not None:
        app.register_blueprint(well_known_routes(signer))
    start_threads = _starter_of_threads(
        Sweeper(_storing_rules(sweep_for(auth)))
    )

    @app.before_request
    def filter_request() -> Response | None:
        """Authenticate the request, or return a response in its place."""
        start_threads()
        # `flask.request` looks the context up at each attribute.
        request = current_request()
        with _cleared_at_sign_out(request.endpoint):
            if with_pages and web.is_page(request):
                return web.require_page_authentication(_module().auth, request)
            access.require_authentication(_module().auth, request)
        return None

    log.set_listener(writer.enqueue)
    module = _module()

    def current_mechanism() -> Auth | None:
        """Return the mechanism, and start the threads of this process."""
        start_threads()
        found: Auth | None = module.auth
        return found

    _put_before(app, current_mechanism, signer)
    return app


def _starter_of_threads(sweeper: Sweeper) -> Callable[[], None]:
    """Return a function that starts the threads of each process, once."""
    ready_process: int | None = None

    def start_threads() -> None:
        """Start the background threads, unless this process has them."""
        nonlocal ready_process
        process = os.getpid()
        if process != ready_process and all(
            (sweeper.ensure_running(), mail_sender().ensure_running())
        ):
            ready_process = process

    return start_threads


def _cleared_at_sign_out(
    endpoint: str | None,
) -> AbstractContextManager[None]:
    """Return a context that clears the cookie if a sign-out fails."""
    if endpoint in _SIGN_OUT_ENDPOINTS:
        return cookie_cleared_without_database()
    return nullcontext()


def _put_before(
    app: Flask,
    current_mechanism: Callable[[], Auth | None],
    signer: IdentitySigner | None,
) -> None:
    """Put before Flask what answers without it, headers and metrics."""
    headers = ResponseHeaders(is_tls)
    cache = ResponseCache(current_mechanism, headers)
    whole: WSGIApplication = MeShortcut(
        add_headers(app.wsgi_app, headers), app, cache, headers
    )
    whole = ForwardAuth(whole, current_mechanism, signer, headers, cache)
    whole = headers.answer_preflights(whole)
    if settings.METRICS.read():
        whole = count_requests(whole)
    base_path = settings.BASE_PATH.read()
    if base_path:
        whole = below_base_path(whole, base_path)
    app.wsgi_app = whole  # type: ignore[method-assign]


def _storing_rules(sweep: Callable[[], int]) -> Callable[[], int]:
    """Return `sweep`, which first stores the rules of sessions.

    They are those that the mechanism was made with. Servers other than
    `vestibule.server` open the database only with the first request.
    """
    rules = session_queries.current_rules()

    def storing() -> int:
        """Store the rules if they are not stored, and sweep."""
        session_queries.store_rules(rules)
        return sweep()

    return storing


@cache
def _built() -> tuple[Flask, Auth | None]:
    """Create the application and its mechanism from the settings, once.

    The checks of the settings run here too, since gunicorn and other servers
    start with nothing else of ours. Raise `ConfigurationError` if they refuse.
    """
    mechanism = mechanism_for(settings.AUTH_TYPE.read())
    check_embedded(mechanism)
    auth = None if mechanism is None else mechanism()
    return create_app(auth), auth


def _module() -> Any:
    """Return this module under the name by which others import it."""
    return sys.modules["vestibule.api.app"]


def __getattr__(name: str) -> Any:
    """Return `app` or `auth`, created at first use."""
    if name not in ("app", "auth"):
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    app, auth = _built()
    # Only where the attribute is missing: a test may have replaced the other.
    found = app if name == "app" else auth
    return globals().setdefault(name, found)
