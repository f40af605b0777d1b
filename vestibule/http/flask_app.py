#!/usr/bin/env python3
"""Flask without the parts that this API does not use.

Nothing here changes a response; each override says what it leaves out.
Together they save a third of Flask's time for `GET /api/v1/users/me`.
"""

from collections.abc import Callable, Iterable
from functools import cache, partial
from typing import Any, TypeVar, cast

from flask import Flask, Request, Response
from flask.globals import request_ctx
from flask.sessions import NullSession, SessionInterface, SessionMixin
from flask.signals import appcontext_tearing_down, request_tearing_down
from flask.typing import ResponseReturnValue
from werkzeug.routing import MapAdapter, Rule

from vestibule.http.request import VestibuleRequest

F = TypeVar("F", bound=Callable[..., Any])

_NULL_SESSION = NullSession()


class NoSession(SessionInterface):
    """Switches off Flask's own session, which the service does not use."""

    def open_session(self, app: Flask, request: Request) -> SessionMixin:
        """Return the one empty session, which is read-only."""
        return _NULL_SESSION

    def is_null_session(self, obj: object) -> bool:
        """Return True: there is never a session to save."""
        return True


class MinimalResponse(Response):
    """A response whose body is complete when it is built."""

    def get_wsgi_response(
        self, environ: dict[str, Any]
    ) -> tuple[Iterable[bytes], str, list[tuple[str, str]]]:
        """Return body, status and headers as they are.

        Werkzeug would copy the headers to fix relative redirects and
        missing lengths, and wrap the body to close it. Here the length is
        set with the body, no redirect needs fixing and nothing is closed.
        """
        if environ["REQUEST_METHOD"] == "HEAD" or self._on_close:
            return super().get_wsgi_response(environ)
        body: Iterable[bytes] = self.response  # type: ignore[assignment]
        return body, self.status, self.headers.to_wsgi_list()


class MinimalRule(Rule):
    """A route that makes the function for its addresses when it is used.

    Werkzeug makes two for each route at once. For the routes of this service
    that takes 130 ms at each start, and few of them are ever used.
    """

    def _compile_builder(
        self, append_unknown: bool = True
    ) -> Callable[..., tuple[str, str]]:
        """Return a function that compiles Werkzeug's at its first call."""
        made = cache(partial(super()._compile_builder, append_unknown))

        def build(rule: Rule, **values: Any) -> tuple[str, str]:
            """Return the domain and the path for these values."""
            return made()(rule, **values)

        return build


class MinimalFlask(Flask):
    """A Flask application for plain views, on one host, without sessions."""

    url_rule_class = MinimalRule

    request_class = VestibuleRequest
    response_class = MinimalResponse
    session_interface = NoSession()

    def create_url_adapter(self, request: Request | None) -> MapAdapter | None:
        """Match routes by the path that the filter sees, without a host.

        Flask would determine host and subdomain, for routes that depend on
        them, and parse the path a second time.
        """
        if request is None:
            return None
        return MapAdapter(
            self.url_map,
            server_name="",
            script_name=request.root_path,
            subdomain="",
            url_scheme=request.scheme,
            path_info=request.path,
            default_method=request.method,
        )

    def preprocess_request(self) -> ResponseReturnValue | None:
        """Call the application's `before_request` hooks.

        Flask determines the blueprints of each request to call theirs. If
        a blueprint has hooks, this leaves the work to Flask.
        """
        if len(self.before_request_funcs) > 1 or self.url_value_preprocessors:
            return super().preprocess_request()
        for hook in self.before_request_funcs.get(None, ()):
            answer: Any = hook()
            if answer is not None:
                return cast(ResponseReturnValue, answer)
        return None

    def process_response(self, response: Response) -> Response:
        """Return `response` as it is, unless a hook is registered."""
        if self.after_request_funcs or request_ctx._after_request_functions:
            return super().process_response(response)
        return response

    def do_teardown_request(self, *given: Any) -> None:
        """Run teardown callbacks only if any are registered."""
        if self.teardown_request_funcs or request_tearing_down.receivers:
            super().do_teardown_request(*given)

    def do_teardown_appcontext(self, *given: Any) -> None:
        """Run teardown callbacks only if any are registered."""
        if self.teardown_appcontext_funcs or (
            appcontext_tearing_down.receivers
        ):
            super().do_teardown_appcontext(*given)

    def ensure_sync(self, func: F) -> F:
        """Return `func` itself; Flask would check if it is a coroutine."""
        return func
