#!/usr/bin/env python3
"""Each answer is counted where it leaves the process.

Its law: what is counted of a request is the route that answered it, never
its path: clients choose paths, and there would be no end of them.
"""

from collections.abc import Callable, Iterable
from typing import Any

from vestibule.core import clock
from vestibule.http.responses import WSGIApplication
from vestibule.metrics import multiprocess
from vestibule.metrics.counters import counters

#: Where whoever answers before Flask says which route that is.
ROUTE_KEY = "vestibule.route"
#: The route of what no route answered, and the method that nobody has.
NONE = "none"
_METHODS = frozenset(
    {"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE"}
)


def count_requests(application: WSGIApplication) -> WSGIApplication:
    """Return `application` with each of its answers counted."""
    is_begun = False

    def answering(
        environ: dict[str, Any], start_response: Callable[..., Any]
    ) -> Iterable[bytes]:
        """Answer as the application does, and count it."""
        nonlocal is_begun
        if not is_begun:
            # At the first request: workers are forked, threads are not.
            is_begun = True
            multiprocess.start_sharing()
        began = clock.monotonic()

        def starting(
            status: str, headers: list[tuple[str, str]], failed: Any = None
        ) -> Any:
            """Count the answer, and begin it."""
            method = environ["REQUEST_METHOD"]
            counters().count_response(
                method if method in _METHODS else NONE,
                route_of(environ),
                status[:3],
                began,
            )
            return start_response(status, headers, failed)

        return application(environ, starting)

    return answering


def route_of(environ: dict[str, Any]) -> str:
    """Return the route that answers the request of `environ`."""
    told: str | None = environ.get(ROUTE_KEY)
    if told is not None:
        return told
    rule = getattr(environ.get("werkzeug.request"), "url_rule", None)
    return NONE if rule is None else str(rule.rule)
