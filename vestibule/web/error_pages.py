#!/usr/bin/env python3
"""Errors as pages: the API's own answer, in words for people.

Its law: status and headers are those that the API gives; only the body is
another, and only for a browser outside of `/api/`.
"""

from collections.abc import Callable
from typing import Any

from flask import Flask, Response
from werkzeug.exceptions import HTTPException

from api.v1 import errors
from api.v1.request import current_request
from vestibule.errors import VestibuleError
from vestibule.web.door import is_page
from vestibule.web.language import gettext, marked
from vestibule.web.rendering import page

_TEXTS = {
    400: (
        marked("That did not work"),
        marked("The form came incomplete. Go back and try again."),
    ),
    401: (
        marked("Please sign in"),
        marked("This page is for people who are signed in."),
    ),
    403: (
        marked("This is not allowed"),
        marked(
            "The service refused the request. If you came here by a link or"
            " a form of another site, open the page from here instead."
        ),
    ),
    404: (
        marked("There is no such page"),
        marked("The address may be misspelled, or the page is gone."),
    ),
    405: (
        marked("That did not work"),
        marked("This page cannot be used in that way."),
    ),
    413: (
        marked("That was too much"),
        marked("What was sent is larger than the service takes."),
    ),
    429: (
        marked("Please wait a moment"),
        marked("There were too many attempts that failed."),
    ),
    503: (
        marked("Busy at the moment"),
        marked("The service cannot answer just now. Try again soon."),
    ),
}
_OTHER = (
    marked("Something went wrong"),
    marked("It is not your fault. The failure is in the service's log."),
)


def install(app: Flask) -> None:
    """Make `app` answer browsers by pages where no API is asked for."""
    app.register_error_handler(HTTPException, _dressed(errors.http_error))
    app.register_error_handler(
        VestibuleError, _dressed(errors.foreseen_error)
    )
    app.register_error_handler(
        Exception, _dressed(errors.unforeseen_error)
    )


def error_page(status: int, wait: str | None = None) -> Response:
    """Return the page about an error; `wait` has seconds to wait."""
    heading, text = _TEXTS.get(
        status, _TEXTS[400] if status < 500 else _OTHER
    )
    return page(
        "error.html",
        status,
        heading=gettext(heading),
        text=gettext(text),
        wait=int(wait) if wait and wait.isdigit() else None,
        code=status,
    )


def _dressed(answer: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """Return an error handler that answers by a page where one is due."""

    def handle(error: Any) -> Any:
        """Answer `error` as the API does, perhaps in other clothes."""
        given = answer(error)
        request = current_request()
        if not (is_page(request) and request.prefers_page):
            return given
        if isinstance(given, HTTPException):
            given = given.get_response()
        shown = error_page(
            given.status_code, given.headers.get("Retry-After")
        )
        for name, value in given.headers.items():
            if name not in ("Content-Type", "Content-Length"):
                shown.headers[name] = value
        return shown

    return handle
