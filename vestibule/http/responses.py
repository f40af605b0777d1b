#!/usr/bin/env python3
"""How an answer is written: JSON that a person can read.

Its law: an object has the same bytes, whoever answers by it.
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
    """Return the bytes of the answer that shows `payload`."""
    return orjson.dumps(payload, option=_STYLE)


def add_challenge(
    response: MinimalResponse, mechanism: Any
) -> MinimalResponse:
    """Return a 401 `response` that says how one may authenticate.

    RFC 9110, 11.6.1 asks for it. Only under `basic_auth` it is `Basic`,
    because browsers open a window of their own then.
    """
    scheme = getattr(mechanism, "scheme", "Cookie")
    response.headers["WWW-Authenticate"] = f'{scheme} realm="vestibule"'
    return response


def add_session_ended(
    response: MinimalResponse, reason: str | None
) -> MinimalResponse:
    """Return `response`, and why the session of the request ended.

    In a header, because the body is the same for everybody.
    """
    if reason is not None:
        response.headers["Session-Ended"] = f"reason={reason}"
    return response
