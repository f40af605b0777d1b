#!/usr/bin/env python3
"""Declarations: what admins do to other people's accounts."""

from collections.abc import Mapping

from vestibule.api.openapi.operation import (
    REAUTH_REQUIRED,
    Access,
    BodySpec,
    Operation,
    ResponseSpec,
)

TAG = "admin"
_PREFIX = "/api/v1/users/<user_id>"
_NOBODY = ResponseSpec("There is no such user.")
_NO_SESSIONS = ResponseSpec(
    "There is no such user, or the mechanism has no sessions."
)
_USER = ResponseSpec("The user.", "User")
_LAST = ResponseSpec("It is the last admin.")


def _operation(
    method: str,
    path: str,
    name: str,
    summary: str,
    answers: Mapping[int, ResponseSpec],
    body: BodySpec | None = None,
    text: str = REAUTH_REQUIRED,
) -> Operation:
    """Return the declaration of a route for admins."""
    return Operation(
        method, path, name, TAG, summary, answers, Access.ADMIN, text, body
    )


OPERATIONS = (
    _operation(
        "PUT",
        f"{_PREFIX}/role",
        "setRole",
        "Make a user an admin, or a member again",
        {200: _USER, 404: _NOBODY, 409: _LAST},
        BodySpec("Role"),
    ),
    _operation(
        "PUT",
        f"{_PREFIX}/disabled",
        "setDisabled",
        "Keep a user out, or let them in again",
        {200: _USER, 404: _NOBODY, 409: _LAST},
        BodySpec("Disabled"),
    ),
    _operation(
        "POST",
        f"{_PREFIX}/password-reset",
        "issueReset",
        "Make a one-time code for a user who forgot the password",
        {
            200: ResponseSpec("The code, shown this once.", "ResetCode"),
            404: _NOBODY,
        },
    ),
    _operation(
        "GET",
        f"{_PREFIX}/sessions",
        "listSessionsOf",
        "List a user's sessions",
        {
            200: ResponseSpec("The live ones, newest first.", ["Session"]),
            404: _NO_SESSIONS,
        },
        text="",
    ),
    _operation(
        "DELETE",
        f"{_PREFIX}/sessions",
        "endSessionsOf",
        "End a user's sessions",
        {200: ResponseSpec("Their number.", "Ended"), 404: _NO_SESSIONS},
    ),
    _operation(
        "DELETE",
        "/api/v1/sessions",
        "endAllSessions",
        "End everybody's sessions",
        {
            200: ResponseSpec("Their number.", "Ended"),
            404: ResponseSpec("The mechanism has no sessions."),
        },
    ),
)
