#!/usr/bin/env python3
"""Counts each response where it leaves the process.

A request is counted by its route, never by its path: clients choose paths,
so their number would have no bound.
"""

from collections.abc import Callable, Iterable
from typing import Any

from vestibule.core import clock
from vestibule.http.responses import WSGIApplication
from vestibule.metrics import multiprocess
from vestibule.metrics.counters import counters

#: The key of the environ by which code before Flask names its route.
ROUTE_KEY = "vestibule.route"
#: Stands for a request without a route, and for an unknown method.
NONE = "none"
_METHODS = frozenset(
    {"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE"}
)


def count_requests(application: WSGIApplication) -> WSGIApplication:
    """Return `application` with each of its responses counted."""
    is_begun = False

    def answering(
        environ: dict[str, Any], start_response: Callable[..., Any]
    ) -> Iterable[bytes]:
        """Respond as the application does, and count it."""
        nonlocal is_begun
        if not is_begun:
            # At the first request: workers are forked, threads are not.
            is_begun = True
            multiprocess.start_sharing()
        began = clock.monotonic()

        def starting(
            status: str, headers: list[tuple[str, str]], failed: Any = None
        ) -> Any:
            """Count the response, and start it."""
            method = environ["REQUEST_METHOD"]
            counters().count_response(
                method if method in _METHODS else NONE,
                environ.get(ROUTE_KEY) or route_of(environ),
                status[:3],
                began,
            )
            return start_response(status, headers, failed)

        return application(environ, starting)

    return answering


def route_of(environ: dict[str, Any]) -> str:
    """Return the route that answers the request of `environ`."""
    route: str | None = environ.get(ROUTE_KEY)
    if route is not None:
        return route
    rule = getattr(environ.get("werkzeug.request"), "url_rule", None)
    return NONE if rule is None else str(rule.rule)
