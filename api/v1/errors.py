#!/usr/bin/env python3
"""Exceptions as answers: one JSON shape, `{"error": <text>}`.

Its law: a client reads a text that is meant for it; what really happened
goes to the log, once.
"""

import logging

from flask import Flask, Response
from werkzeug.exceptions import HTTPException, InternalServerError

from api.v1.answers import answer, challenged, with_reason
from api.v1.lean import LeanResponse
from api.v1.request import VestibuleRequest, current_request
from vestibule.errors import Busy, Throttled, VestibuleError

_log = logging.getLogger(__name__)

#: The texts of the API where they are not the names of the statuses.
_TEXTS = {404: "Not found"}


def install(app: Flask) -> None:
    """Make `app` answer its errors in JSON."""
    app.register_error_handler(HTTPException, http_error)
    app.register_error_handler(VestibuleError, foreseen_error)
    app.register_error_handler(Exception, unforeseen_error)


def http_error(error: HTTPException) -> Response | HTTPException:
    """Answer an HTTP error: 401, 403, 404, 413 and the like."""
    if error.code == 405 and not _asks_for_json():
        return error
    code = error.code or 500
    response = answer({"error": _TEXTS.get(code, error.name)}, code)
    # `Allow`, `Retry-After` and their like belong to the status.
    for name, value in error.get_headers():
        if name != "Content-Type":
            response.headers[name] = value
    if code == 401:
        return challenged(response, current_request().mechanism)
    if code == 403:
        return with_reason(response, current_request().session_ended)
    return response


def foreseen_error(error: VestibuleError) -> Response:
    """Answer a failure of our own, within Flask."""
    return failure(error, current_request())


def failure(error: VestibuleError, request: VestibuleRequest) -> LeanResponse:
    """Answer a failure of our own: the text it has for the public."""
    if error.status >= 500:
        _log.error("%s %s: %s", request.method, request.path, error)
    body = {"error": str(error) if error.public is None else error.public}
    response = answer(body, error.status)
    if isinstance(error, (Busy, Throttled)):
        response.headers["Retry-After"] = str(error.retry_after)
    if error.status == 401:
        return challenged(response, request.mechanism)
    return response


def unforeseen_error(error: Exception) -> Response:
    """Answer a defect, within Flask."""
    return defect(current_request())


def defect(request: VestibuleRequest) -> LeanResponse:
    """Answer a defect: a bare 500; the traceback is for the log."""
    _log.exception("%s %s failed", request.method, request.path)
    return answer({"error": InternalServerError().name}, 500)


def _asks_for_json() -> bool:
    """Tell whether the client prefers JSON to a page; curl does not say."""
    best = current_request().accept_mimetypes.best_match(
        ["text/html", "application/json"]
    )
    return best == "application/json"
