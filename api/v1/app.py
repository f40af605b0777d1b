#!/usr/bin/env python3
"""The application: the parts above and below put together, and its start.

`app` and `auth` are made when they are first asked for (PEP 562), from
the settings of that moment: importing this module opens and starts
nothing, and `python3 -m api.v1.app` makes one application, not one for
`__main__` and another for the views that import `auth` from here.
"""

import sys
from collections.abc import Callable
from functools import cache
from typing import Any, NoReturn

from flask import Flask, Response

from api.v1 import errors, guard
from api.v1.answers import WSGIApplication
from api.v1.auth import mechanism_for
from api.v1.auth.auth import Auth
from api.v1.auth.session_auth import SessionAuth
from api.v1.counting import counted
from api.v1.health import probes
from api.v1.lean import LeanFlask
from api.v1.openapi.routes import description
from api.v1.request import current_request, is_tls
from api.v1.response_headers import ResponseHeaders
from api.v1.views import app_views
from api.v1.views.well_known import well_known
from vestibule import env_file, journal, server, settings
from vestibule.errors import VestibuleError
from vestibule.identity.header import open_signer
from vestibule.observe import security
from vestibule.sessions.sweeper import Sweeper
from vestibule.throttle import throttle
from vestibule.verify import Gate
from vestibule.web import door
from vestibule.web import wiring as web
from vestibule.web.presence import has_pages

#: Bytes of a request's body; more is refused with 413.
BODY_LIMIT = 1_048_576


def create_app(auth: Auth | None) -> Flask:
    """Return an application guarded by the mechanism `auth`.

    Its filter and its views ask this module for `auth` at each request,
    so whoever replaces it here replaces it for all of them.
    """
    app = LeanFlask(__name__, static_folder=None)
    app.config["MAX_CONTENT_LENGTH"] = BODY_LIMIT
    app.url_map.strict_slashes = False
    app.url_map.merge_slashes = False
    app.register_blueprint(app_views)
    app.register_blueprint(probes())
    if settings.API_DOCS.read():
        app.register_blueprint(description(auth))
    errors.install(app)
    with_pages = has_pages(None if auth is None else type(auth))
    if with_pages:
        web.install(app)
    signer = open_signer()
    if signer is not None:
        app.register_blueprint(well_known(signer))
    sweeper = Sweeper(_sweep_of(auth))

    @app.before_request
    def filter_request() -> Response | None:
        """Let the request pass as somebody, or answer in its place."""
        sweeper.ensure_running()
        # `flask.request` would look the context up at each attribute.
        request = current_request()
        if with_pages and door.is_page(request):
            return door.admit(_module().auth, request)
        guard.admit(_module().auth, request)
        return None

    security.tell(journal.note)

    def judging() -> Auth | None:
        """Return who judges, in a process that sweeps from now on."""
        sweeper.ensure_running()
        found: Auth | None = _module().auth
        return found

    whole: WSGIApplication = Gate(
        app.wsgi_app, judging, signer, ResponseHeaders(is_tls)
    )
    if settings.METRICS.read():
        whole = counted(whole)
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
            journal.purge()
            if isinstance(auth, SessionAuth):
                journal.note_sessions(auth.store.count())

    return sweep


@cache
def _built() -> tuple[Flask, Auth | None]:
    """Make the application and its mechanism from the settings, once."""
    mechanism = mechanism_for(settings.AUTH_TYPE.read())
    auth = None if mechanism is None else mechanism()
    return create_app(auth), auth


def _module() -> Any:
    """Return this module as others import it."""
    return sys.modules["api.v1.app"]


def __getattr__(name: str) -> Any:
    """Return `app` or `auth`, made at first use."""
    if name == "app":
        return _built()[0]
    if name == "auth":
        return _built()[1]
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def main() -> NoReturn:
    """Serve until a signal ends it; exit with 1 if it cannot start."""
    try:
        env_file.load()
        server.serve(mechanism_for(settings.AUTH_TYPE.read()))
    except VestibuleError as error:
        sys.exit(f"vestibule: {error}")
    sys.exit(0)


if __name__ == "__main__":
    main()
