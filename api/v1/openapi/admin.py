#!/usr/bin/env python3
"""Declarations: what admins do to other people's accounts."""

from collections.abc import Mapping

from api.v1.openapi.operation import PROOF, Access, Answer, Body, Operation

TAG = "admin"
_PREFIX = "/api/v1/users/<user_id>"
_NOBODY = Answer("There is no such user.")
_NO_SESSIONS = Answer(
    "There is no such user, or the mechanism has no sessions."
)
_USER = Answer("The user.", "User")
_LAST = Answer("It is the last admin.")


def _operation(
    method: str,
    path: str,
    name: str,
    summary: str,
    answers: Mapping[int, Answer],
    body: Body | None = None,
    text: str = PROOF,
) -> Operation:
    """Return the declaration of a route for admins."""
    return Operation(
        method, path, name, TAG, summary, answers, Access.ADMIN, text, body
    )


OPERATIONS = (
    _operation(
        "PUT", f"{_PREFIX}/role", "setRole",
        "Make a user an admin, or a member again",
        {200: _USER, 404: _NOBODY, 409: _LAST}, Body("Role"),
    ),
    _operation(
        "PUT", f"{_PREFIX}/disabled", "setDisabled",
        "Keep a user out, or let them in again",
        {200: _USER, 404: _NOBODY, 409: _LAST}, Body("Disabled"),
    ),
    _operation(
        "POST", f"{_PREFIX}/password-reset", "issueReset",
        "Make a one-time code for a user who forgot the password",
        {200: Answer("The code, shown this once.", "ResetCode"),
         404: _NOBODY},
    ),
    _operation(
        "GET", f"{_PREFIX}/sessions", "listSessionsOf",
        "List a user's sessions",
        {200: Answer("The live ones, newest first.", ["Session"]),
         404: _NO_SESSIONS},
        text="",
    ),
    _operation(
        "DELETE", f"{_PREFIX}/sessions", "endSessionsOf",
        "End a user's sessions",
        {200: Answer("Their number.", "Ended"), 404: _NO_SESSIONS},
    ),
    _operation(
        "DELETE", "/api/v1/sessions", "endAllSessions",
        "End everybody's sessions",
        {200: Answer("Their number.", "Ended"),
         404: Answer("The mechanism has no sessions.")},
    ),
)
