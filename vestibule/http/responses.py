#!/usr/bin/env python3
"""JSON responses that a person can read.

The same object always has the same bytes, in every part of the service.
"""

from collections.abc import Callable, Iterable
from typing import Any

import orjson

from vestibule.http.flask_app import MinimalResponse

_STYLE = orjson.OPT_INDENT_2 | orjson.OPT_SORT_KEYS | orjson.OPT_APPEND_NEWLINE

WSGIApplication = Callable[..., Iterable[bytes]]


def json_response(payload: Any, status: int = 200) -> MinimalResponse:
    """Return `payload` as JSON, indented by two spaces, its keys sorted."""
    return MinimalResponse(
        json_body(payload), status, mimetype="application/json"
    )


def json_body(payload: Any) -> bytes:
    """Return the body of a JSON response with `payload`."""
    return orjson.dumps(payload, option=_STYLE)


def add_challenge(
    response: MinimalResponse, mechanism: Any
) -> MinimalResponse:
    """Add `WWW-Authenticate` to a 401 `response` (RFC 9110, 11.6.1).

    The scheme is `Basic` only under `basic_auth`, because it makes
    browsers open a login dialog of their own. It names the charset in
    which they send the credentials (RFC 7617, section 2.1).
    """
    scheme = getattr(mechanism, "scheme", "Cookie")
    challenge = f'{scheme} realm="vestibule"'
    if scheme == "Basic":
        challenge += ', charset="UTF-8"'
    response.headers["WWW-Authenticate"] = challenge
    return response


def add_session_ended(
    response: MinimalResponse, reason: str | None
) -> MinimalResponse:
    """Add to `response` why the session of the request ended.

    In a header, because the body is the same for all clients.
    """
    if reason is not None:
        response.headers["Session-Ended"] = f"reason={reason}"
    return response
