#!/usr/bin/env python3
"""How an answer is written: JSON that a person can read.

Its law: an object has the same bytes, whoever answers by it.
"""

from collections.abc import Callable, Iterable
from typing import Any

import orjson

from api.v1.lean import LeanResponse

_STYLE = (
    orjson.OPT_INDENT_2 | orjson.OPT_SORT_KEYS | orjson.OPT_APPEND_NEWLINE
)

WSGIApplication = Callable[..., Iterable[bytes]]


def answer(payload: Any, status: int = 200) -> LeanResponse:
    """Return `payload` as JSON, indented by two spaces, its keys sorted."""
    return LeanResponse(
        body_of(payload), status, mimetype="application/json"
    )


def body_of(payload: Any) -> bytes:
    """Return the bytes of the answer that shows `payload`."""
    return orjson.dumps(payload, option=_STYLE)


def challenged(response: LeanResponse, mechanism: Any) -> LeanResponse:
    """Return a 401 `response` that says how one may authenticate.

    RFC 9110, 11.6.1 asks for it. Only under `basic_auth` it is `Basic`,
    because browsers open a window of their own then.
    """
    scheme = getattr(mechanism, "scheme", "Cookie")
    response.headers["WWW-Authenticate"] = f'{scheme} realm="vestibule"'
    return response


def with_reason(response: LeanResponse, reason: str | None) -> LeanResponse:
    """Return `response`, and why the session of the request ended.

    In a header, because the body is the same for everybody.
    """
    if reason is not None:
        response.headers["Session-Ended"] = f"reason={reason}"
    return response
