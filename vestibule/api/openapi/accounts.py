#!/usr/bin/env python3
"""Declarations of the routes for sessions, and of those that mails lead to.

They are for every user: sign in and out, list and end sessions, forward
authentication.
"""

from vestibule.admin.filters import MAX_PAGE_ROWS
from vestibule.api.openapi.operation import (
    FORM_OR_JSON,
    Access,
    BodySpec,
    Operation,
    Parameter,
    ResponseSpec,
)
from vestibule.api.openapi.service import VERIFY_PARAMETERS
from vestibule.identity.header import FACTS_HEADER, HEADER, RECENT_HEADER

SESSIONS_TAG = "sessions"
_SESSIONS = "/api/v1/auth_session"
_NO_SESSIONS = ResponseSpec(
    "The mechanism has no sessions, or no user is authenticated."
)
_USER_AND_COOKIE = ResponseSpec(
    "The user, and a cookie with a new session id.", "User", ("Set-Cookie",)
)
_REASON = ResponseSpec(
    "The request is not authenticated.",
    headers=("WWW-Authenticate", "Session-Ended", "Location"),
)


_OTHER_SITE = ResponseSpec("Another site made the browser send the request.")
NO_MAIL = ResponseSpec("No mail is sent (`MAIL_URL` is unset).")


def _token_operation(
    path: str, name: str, summary: str, done: str
) -> Operation:
    """Return the declaration of a route that takes a mail's token."""
    return Operation(
        "POST",
        f"{_SESSIONS}/{path}",
        name,
        SESSIONS_TAG,
        summary,
        {
            200: ResponseSpec(done, "Empty"),
            403: _OTHER_SITE,
            404: NO_MAIL,
            409: ResponseSpec("Another user has the email by now."),
        },
        access=Access.OPEN,
        body=BodySpec("MailToken", FORM_OR_JSON),
    )


def page_parameters(default: int, after: str) -> tuple[Parameter, ...]:
    """Return the parameters of a list that is answered in pages.

    `default` is the value of `limit` without one, and `after` says where
    the value of that parameter comes from.
    """
    return (
        Parameter(
            "limit",
            "query",
            "The most rows of a page.",
            default,
            more={
                "type": "integer",
                "minimum": 1,
                "maximum": MAX_PAGE_ROWS,
                "default": default,
            },
        ),
        Parameter(
            "after",
            "query",
            after,
            "9f2c1a7be04d3c58WyIxNzY5ODYyNjAwMDAwMDAwMDAwIl0=",
        ),
    )


SESSION_PAGE = ResponseSpec(
    "A page of live sessions, newest first. If there are more, the header"
    ' `Link` has the address of the next page (`rel="next"`).',
    ["Session"],
    ("Link",),
)
SESSION_PAGE_PARAMETERS = page_parameters(
    MAX_PAGE_ROWS, "Part of the address in `Link`."
)
INVALID_PAGE = ResponseSpec("The limit or the position is invalid.")


SESSION_OPERATIONS = (
    Operation(
        "POST",
        f"{_SESSIONS}/login",
        "logIn",
        SESSIONS_TAG,
        "Log in",
        {
            200: _USER_AND_COOKIE,
            401: ResponseSpec(
                "The password is wrong; or it is right, and the user has a"
                " second factor, for which the cookie waits.",
                headers=("WWW-Authenticate", "Set-Cookie"),
            ),
            403: ResponseSpec(
                "Another site made the browser send the request."
            ),
            404: ResponseSpec(
                "No user has this email (401 instead with"
                " `LOGIN_GENERIC_ERRORS=on`), or the mechanism has"
                " no sessions."
            ),
            500: ResponseSpec("`SESSION_NAME` is not set, or a defect."),
        },
        access=Access.OPEN,
        body=BodySpec("Credentials", FORM_OR_JSON),
        takes_secret=True,
    ),
    Operation(
        "DELETE",
        f"{_SESSIONS}/logout",
        "logOut",
        SESSIONS_TAG,
        "Log out",
        {
            200: ResponseSpec(
                "The session has ended.",
                "Empty",
                ("Set-Cookie", "Clear-Site-Data"),
            ),
            404: _NO_SESSIONS,
            503: ResponseSpec(
                "The database is unavailable. Unless it is busy, the cookie"
                " is deleted.",
                headers=("Retry-After", "Set-Cookie", "Clear-Site-Data"),
            ),
        },
    ),
    Operation(
        "POST",
        f"{_SESSIONS}/refresh",
        "refresh",
        SESSIONS_TAG,
        "Confirm the password",
        {200: _USER_AND_COOKIE, 404: _NO_SESSIONS},
        body=BodySpec("Proof", FORM_OR_JSON),
        takes_secret=True,
        text="Sensitive requests need this within `REAUTH_WINDOW`.",
    ),
    Operation(
        "POST",
        f"{_SESSIONS}/reset",
        "resetPassword",
        SESSIONS_TAG,
        "Set a forgotten password with a code or a mail's link",
        {
            200: ResponseSpec(
                "The password is set, and all sessions have ended.", "Empty"
            ),
            403: ResponseSpec(
                "Another site made the browser send the request."
            ),
        },
        access=Access.OPEN,
        body=BodySpec("Reset", FORM_OR_JSON),
        takes_secret=True,
    ),
    Operation(
        "POST",
        f"{_SESSIONS}/forgot",
        "askForReset",
        SESSIONS_TAG,
        "Send a mail with a link to set a new password",
        {
            202: ResponseSpec(
                "A mail is queued if the email has an account. The cookie"
                " lets this client use the code of the mail.",
                "Empty",
                ("Set-Cookie",),
            ),
            403: _OTHER_SITE,
            404: NO_MAIL,
        },
        access=Access.OPEN,
        body=BodySpec("AskForMail", FORM_OR_JSON),
        takes_secret=True,
        text="The answer is the same whether the email has an account or not.",
    ),
    _token_operation(
        "confirm",
        "confirmEmail",
        "Confirm an email by the link of a mail",
        "The email is confirmed. For a change it is the user's now.",
    ),
    _token_operation(
        "undo",
        "undoEmailChange",
        "Take a change of the email back by the link of a mail",
        "The previous email is back, and all sessions have ended.",
    ),
    Operation(
        "GET",
        f"{_SESSIONS}/sessions",
        "listSessions",
        SESSIONS_TAG,
        "List your sessions",
        {
            200: SESSION_PAGE,
            400: INVALID_PAGE,
            404: _NO_SESSIONS,
        },
        parameters=SESSION_PAGE_PARAMETERS,
    ),
    Operation(
        "DELETE",
        f"{_SESSIONS}/sessions",
        "endOtherSessions",
        SESSIONS_TAG,
        "End all your other sessions",
        {
            200: ResponseSpec("How many sessions ended.", "Ended"),
            404: _NO_SESSIONS,
        },
    ),
    Operation(
        "DELETE",
        f"{_SESSIONS}/sessions/<handle>",
        "endSession",
        SESSIONS_TAG,
        "End one of your sessions",
        {
            200: ResponseSpec(
                "The session has ended. If it was the one of the request, the"
                " cookie is removed.",
                "Empty",
                ("Set-Cookie",),
            ),
            404: ResponseSpec("You have no session with this handle."),
        },
    ),
    Operation(
        "GET",
        f"{_SESSIONS}/verify",
        "verify",
        SESSIONS_TAG,
        "Identify the user of a request, for a proxy (forward authentication)",
        {
            200: ResponseSpec(
                "The user, in headers and body.",
                "User",
                (
                    "Remote-User",
                    "Remote-Email",
                    "Remote-Email-Verified",
                    "Remote-Groups",
                    "Remote-Assurance",
                    RECENT_HEADER,
                    FACTS_HEADER,
                    HEADER,
                ),
            ),
            302: ResponseSpec(
                "A browser that loads a page is redirected to `LOGIN_URL`.",
                headers=("Location", "Session-Ended"),
            ),
            400: ResponseSpec("A parameter is not known or not valid."),
            401: _REASON,
            403: ResponseSpec(
                "The user has not the role or group, or a rule denies it."
            ),
        },
        parameters=VERIFY_PARAMETERS,
        is_forward_auth=True,
    ),
)
