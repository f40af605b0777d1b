#!/usr/bin/env python3
"""Declarations of the routes for users, one's own account, and invitations."""

from vestibule.admin.filters import MAX_IDS
from vestibule.api.openapi.accounts import NO_MAIL
from vestibule.api.openapi.admin import (
    PAGE_PARAMETERS,
    choice,
    list_operation,
)
from vestibule.api.openapi.operation import (
    REAUTH_REQUIRED,
    Access,
    BodySpec,
    Operation,
    Parameter,
    ResponseSpec,
)
from vestibule.db.codes import INVITATION_SORTS

USERS_TAG = "users"
_USERS = "/api/v1/users"
_NO_USER = ResponseSpec("There is no such user.")
_NO_ME = ResponseSpec("No user is authenticated: `AUTH_TYPE` is not set.")
_USER = ResponseSpec("The user.", "User")
_MAIL_QUEUED = ResponseSpec("A mail is queued.", "Empty")
USER_OPERATIONS = (
    Operation(
        "GET",
        _USERS,
        "listUsers",
        USERS_TAG,
        "List the users",
        {
            200: ResponseSpec(
                "All users; with `ids`, the names of these.", ["ListedUser"]
            ),
            400: ResponseSpec("`ids` are too many, or no ids."),
        },
        access=Access.POLICY,
        text="With `ids`, for admins, and for every authenticated user under"
        " `DIRECTORY=names`.",
        parameters=(
            Parameter(
                "ids",
                "query",
                f"The ids of at most {MAX_IDS} users, separated by commas.",
                "33ca0894-f8bd-4b54-8775-b41c18caa828",
            ),
        ),
    ),
    Operation(
        "POST",
        _USERS,
        "addUser",
        USERS_TAG,
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
        f"{_USERS}/me",
        "showMe",
        USERS_TAG,
        "Show yourself",
        {200: ResponseSpec("The authenticated user.", "User"), 404: _NO_ME},
    ),
    Operation(
        "GET",
        f"{_USERS}/me/access",
        "showMyAccess",
        USERS_TAG,
        "Show your role and groups",
        {200: ResponseSpec("The role and groups.", "Access"), 404: _NO_ME},
    ),
    Operation(
        "DELETE",
        f"{_USERS}/me",
        "deleteMe",
        USERS_TAG,
        "Delete your account and end your sessions",
        {
            200: ResponseSpec(
                "Your account is deleted.",
                "Empty",
                ("Set-Cookie", "Clear-Site-Data"),
            ),
            404: _NO_ME,
            409: ResponseSpec("You are the last admin."),
        },
        text="Needs a password confirmed within `REAUTH_WINDOW`.",
    ),
    Operation(
        "PUT",
        f"{_USERS}/me/email",
        "changeEmail",
        USERS_TAG,
        "Change your email",
        {200: _USER, 202: _MAIL_QUEUED, 404: _NO_ME},
        body=BodySpec("NewEmail"),
        text="Needs a password confirmed within `REAUTH_WINDOW`. With mail,"
        " a link is sent to the new email; the change is made when it is"
        " used, and the answer is 202.",
    ),
    Operation(
        "POST",
        f"{_USERS}/me/email/confirmation",
        "sendConfirmation",
        USERS_TAG,
        "Send the mail again that confirms your email",
        {202: _MAIL_QUEUED, 404: NO_MAIL},
    ),
    Operation(
        "PUT",
        f"{_USERS}/me/password",
        "changePassword",
        USERS_TAG,
        "Change your password",
        {
            200: ResponseSpec(
                "The user. All other sessions have ended, and this"
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
        f"{_USERS}/<user_id>",
        "showUser",
        USERS_TAG,
        "Show a user",
        {200: _USER, 404: _NO_USER},
        access=Access.POLICY,
    ),
    Operation(
        "PUT",
        f"{_USERS}/<user_id>",
        "nameUser",
        USERS_TAG,
        "Set a user's names",
        {200: _USER, 404: _NO_USER},
        access=Access.POLICY,
        body=BodySpec("Names"),
    ),
    Operation(
        "DELETE",
        f"{_USERS}/<user_id>",
        "deleteUser",
        USERS_TAG,
        "Delete a user and end their sessions",
        {
            200: ResponseSpec("The user is deleted.", "Empty"),
            404: _NO_USER,
            409: ResponseSpec("The user is the last admin."),
        },
        access=Access.POLICY,
        text="Needs a recently confirmed password with `REAUTH_TO_DELETE=on`.",
    ),
)
INVITATION_OPERATIONS = (
    list_operation(
        "POST",
        "/api/v1/admin/users",
        "inviteUser",
        "Invite a user, who sets a password with a one-time code",
        {
            201: ResponseSpec(
                "The user, and the code. It is not shown again.", "Invited"
            )
        },
        text=REAUTH_REQUIRED,
        body=BodySpec("Invitation"),
    ),
    list_operation(
        "GET",
        "/api/v1/admin/invitations",
        "listInvitations",
        "List the open invitations",
        {200: ResponseSpec("A page of invitations.", "InvitationsPage")},
        (
            choice(
                "sort",
                "The order: a column, descending after a minus sign. The"
                " newest invitations come first without it.",
                "expires",
                INVITATION_SORTS,
            ),
            *PAGE_PARAMETERS,
        ),
    ),
    list_operation(
        "DELETE",
        "/api/v1/admin/invitations/<user_id>",
        "revokeInvitation",
        "Revoke an open invitation",
        {
            200: ResponseSpec("The link and the code are dead.", "Empty"),
            404: ResponseSpec("The user has no open invitation."),
        },
        text=REAUTH_REQUIRED,
    ),
)
