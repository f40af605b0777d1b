#!/usr/bin/env python3
"""Error responses: one JSON shape, `{"error": <text>}`.

The client gets a text that is meant for it. The cause goes to the log,
once.
"""

import logging

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
from vestibule.http.responses import (
    add_challenge,
    add_session_ended,
    json_response,
)

_log = logging.getLogger(__name__)

#: The texts of the API where they differ from the names of the statuses.
_TEXTS = {404: "Not found"}


def install(app: Flask) -> None:
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
