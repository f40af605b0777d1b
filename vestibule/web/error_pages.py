#!/usr/bin/env python3
"""Errors as pages: the API's own answer, in words for people.

Its law: status and headers are those that the API gives; only the body is
another, and only for a browser outside of `/api/`.
"""

from collections.abc import Callable
from typing import Any

from flask import Flask, Response
from werkzeug.exceptions import HTTPException

from vestibule.core.errors import VestibuleError
from vestibule.http import errors
from vestibule.http.request import current_request
from vestibule.web.access import is_page
from vestibule.web.i18n import N_, gettext
from vestibule.web.messages import error_message
from vestibule.web.templating import page

_TEXTS = {
    400: (
        N_("That did not work"),
        N_("The form came incomplete. Go back and try again."),
    ),
    401: (
        N_("Please sign in"),
        N_("This page is for people who are signed in."),
    ),
    403: (
        N_("This is not allowed"),
        N_(
            "The service refused the request. If you came here by a link or"
            " a form of another site, open the page from here instead."
        ),
    ),
    404: (
        N_("There is no such page"),
        N_("The address may be misspelled, or the page is gone."),
    ),
    405: (
        N_("That did not work"),
        N_("This page cannot be used in that way."),
    ),
    413: (
        N_("That was too much"),
        N_("What was sent is larger than the service takes."),
    ),
    429: (
        N_("Please wait a moment"),
        N_("There were too many attempts that failed."),
    ),
    503: (
        N_("Busy at the moment"),
        N_("The service cannot answer just now. Try again soon."),
    ),
}
_OTHER = (
    N_("Something went wrong"),
    N_("It is not your fault. The failure is in the service's log."),
)


def install(app: Flask) -> None:
    """Make `app` answer browsers by pages where no API is asked for."""
    app.register_error_handler(
        HTTPException, _dressed(errors.handle_http_error)
    )
    app.register_error_handler(
        VestibuleError, _dressed(errors.handle_vestibule_error)
    )
    app.register_error_handler(
        Exception, _dressed(errors.handle_unexpected_error)
    )


def error_page(
    status: int, wait: str | None = None, message: str | None = None
) -> Response:
    """Return the page about an error; `wait` has seconds to wait.

    `message` replaces the text that the status has.
    """
    heading, text = _TEXTS.get(status, _TEXTS[400] if status < 500 else _OTHER)
    return page(
        "error.html",
        status,
        heading=gettext(heading),
        text=message or gettext(text),
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
        wait, message = given.headers.get("Retry-After"), None
        if isinstance(error, VestibuleError) and error.status < 500:
            message = error_message(error)
        shown = error_page(given.status_code, wait, message)
        for name, value in given.headers.items():
            if name not in ("Content-Type", "Content-Length"):
                shown.headers[name] = value
        return shown

    return handle
