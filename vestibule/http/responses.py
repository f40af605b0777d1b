#!/usr/bin/env python3
"""JSON responses that a person can read, and those to errors.

The same object always has the same bytes, in every part of the service. An
error has one shape, `{"error": <text>}`: the client gets a text that is
meant for it. The cause goes to the log, once.
"""

import logging
from collections.abc import Callable, Iterable
from typing import Any

import orjson
from flask import Flask, Response
from werkzeug.exceptions import HTTPException, InternalServerError

from vestibule.core.errors import (
    DatabaseUnavailable,
    ServiceBusy,
    Throttled,
    VestibuleError,
)
from vestibule.http.flask_app import MinimalResponse
from vestibule.http.request import VestibuleRequest, current_request

_STYLE = orjson.OPT_INDENT_2 | orjson.OPT_SORT_KEYS | orjson.OPT_APPEND_NEWLINE
WSGIApplication = Callable[..., Iterable[bytes]]

_log = logging.getLogger(__name__)
#: The texts of the API where they differ from the names of the statuses.
_TEXTS = {404: "Not found"}


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


def install_error_handlers(app: Flask) -> None:
    """Register the error handlers of `app`, which respond in JSON."""
    app.register_error_handler(HTTPException, handle_http_error)
    app.register_error_handler(VestibuleError, handle_vestibule_error)
    app.register_error_handler(Exception, handle_unexpected_error)


def handle_http_error(error: HTTPException) -> Response | HTTPException:
    """Return the response to an HTTP error, such as 401 or 413."""
    if error.code == 405 and not _prefers_json():
        return error
    code = error.code or 500
    response = json_response({"error": _TEXTS.get(code, error.name)}, code)
    # `Allow`, `Retry-After` and others belong to the status.
    for name, value in error.get_headers():
        if name != "Content-Type":
            response.headers[name] = value
    if code == 401:
        return add_challenge(response, current_request().mechanism)
    if code == 403:
        return add_session_ended(response, current_request().session_ended)
    return response


def handle_vestibule_error(error: VestibuleError) -> Response:
    """Return the response to an error of the service, for Flask."""
    return error_response(error, current_request())


def error_response(
    error: VestibuleError, request: VestibuleRequest
) -> MinimalResponse:
    """Return the response to an error of the service: its public text."""
    if error.status >= 500 and not error.is_logged:
        _log.error("%s %s: %s", request.method, request.path, error)
    body = {"error": str(error) if error.public is None else error.public}
    response = json_response(body, error.status)
    if isinstance(error, (DatabaseUnavailable, ServiceBusy, Throttled)):
        response.headers["Retry-After"] = str(error.retry_after)
    if error.status == 401:
        return add_challenge(response, request.mechanism)
    return response


def handle_unexpected_error(error: Exception) -> Response:
    """Return the response to an unexpected error, for Flask."""
    return internal_error_response(current_request())


def internal_error_response(request: VestibuleRequest) -> MinimalResponse:
    """Return a bare 500; the traceback goes to the log."""
    _log.exception("%s %s failed", request.method, request.path)
    return json_response({"error": InternalServerError().name}, 500)


def _prefers_json() -> bool:
    """Return True if the client prefers JSON to HTML; curl does not."""
    best = current_request().accept_mimetypes.best_match(
        ["text/html", "application/json"]
    )
    return best == "application/json"
