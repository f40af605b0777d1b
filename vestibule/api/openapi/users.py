#!/usr/bin/env python3
"""Declarations: users, and one's own account."""

from vestibule.api.openapi.operation import (
    Access,
    BodySpec,
    Operation,
    ResponseSpec,
)

TAG = "users"
_PREFIX = "/api/v1/users"
_NOBODY = ResponseSpec("There is no such user.")
_NO_ME = ResponseSpec("Nobody is known: there is no `AUTH_TYPE`.")
_USER = ResponseSpec("The user.", "User")

OPERATIONS = (
    Operation(
        "GET",
        _PREFIX,
        "listUsers",
        TAG,
        "List the users",
        {200: ResponseSpec("All of them.", ["User"])},
        access=Access.POLICY,
    ),
    Operation(
        "POST",
        _PREFIX,
        "addUser",
        TAG,
        "Add a user",
        {
            201: ResponseSpec(
                "The user.",
                "User",
                leads_to=(
                    "showUser",
                    "nameUser",
                    "deleteUser",
                    "setRole",
                    "setDisabled",
                    "issueReset",
                    "listSessionsOf",
                    "endSessionsOf",
                    "showUserToAdmins",
                    "showFailures",
                    "forgetFailures",
                ),
            )
        },
        access=Access.POLICY,
        body=BodySpec("NewUser"),
    ),
    Operation(
        "GET",
        f"{_PREFIX}/me",
        "showMe",
        TAG,
        "Who am I?",
        {200: ResponseSpec("The user who asks.", "User"), 404: _NO_ME},
    ),
    Operation(
        "PUT",
        f"{_PREFIX}/me/email",
        "changeEmail",
        TAG,
        "Change one's own email",
        {200: _USER, 404: _NO_ME},
        body=BodySpec("NewEmail"),
        text="Needs a proof of the password within `REAUTH_WINDOW`.",
    ),
    Operation(
        "PUT",
        f"{_PREFIX}/me/password",
        "changePassword",
        TAG,
        "Change one's own password",
        {
            200: ResponseSpec(
                "The user; all other sessions have ended, and this"
                " one has a new id.",
                "User",
                ("Set-Cookie",),
            ),
            404: _NO_ME,
        },
        body=BodySpec("NewPassword"),
        takes_secret=True,
    ),
    Operation(
        "GET",
        f"{_PREFIX}/<user_id>",
        "showUser",
        TAG,
        "Show a user",
        {200: _USER, 404: _NOBODY},
        access=Access.POLICY,
    ),
    Operation(
        "PUT",
        f"{_PREFIX}/<user_id>",
        "nameUser",
        TAG,
        "Set a user's names",
        {200: _USER, 404: _NOBODY},
        access=Access.POLICY,
        body=BodySpec("Names"),
    ),
    Operation(
        "DELETE",
        f"{_PREFIX}/<user_id>",
        "deleteUser",
        TAG,
        "Delete a user with all sessions",
        {
            200: ResponseSpec("The user is gone.", "Empty"),
            404: _NOBODY,
            409: ResponseSpec("It is the last admin."),
        },
        access=Access.POLICY,
        text="Needs a recent proof of the password with"
        " `REAUTH_TO_DELETE=on`.",
    ),
)
