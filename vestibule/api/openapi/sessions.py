#!/usr/bin/env python3
"""Declarations: log in and out, one's own sessions, the gate."""

from vestibule.api.openapi.operation import (
    FORM,
    Access,
    BodySpec,
    Operation,
    Parameter,
    ResponseSpec,
)
from vestibule.identity.header import HEADER

TAG = "sessions"
_PREFIX = "/api/v1/auth_session"
_NO_SESSIONS = ResponseSpec(
    "The mechanism has no sessions, or nobody is known."
)
_USER = ResponseSpec(
    "The user, and a cookie with a new session id.", "User", ("Set-Cookie",)
)
_REASON = ResponseSpec(
    "It names no user.",
    headers=("WWW-Authenticate", "Session-Ended", "Location"),
)


def _forwarded(name: str, meaning: str, example: str) -> Parameter:
    """Return a header that a trusted proxy sends (`TRUSTED_PROXIES`)."""
    return Parameter(f"X-Forwarded-{name}", "header", meaning, example)


OPERATIONS = (
    Operation(
        "POST",
        f"{_PREFIX}/login",
        "logIn",
        TAG,
        "Begin a session",
        {
            200: _USER,
            401: ResponseSpec(
                "The password is wrong.", headers=("WWW-Authenticate",)
            ),
            403: ResponseSpec("Another site is behind the request."),
            404: ResponseSpec(
                "Nobody has this email (never said with"
                " `LOGIN_GENERIC_ERRORS=on`), or the mechanism has"
                " no sessions."
            ),
            500: ResponseSpec("`SESSION_NAME` is not set, or a defect."),
        },
        access=Access.OPEN,
        body=BodySpec("Credentials", FORM),
        takes_secret=True,
    ),
    Operation(
        "DELETE",
        f"{_PREFIX}/logout",
        "logOut",
        TAG,
        "End this session",
        {
            200: ResponseSpec(
                "It is gone.", "Empty", ("Set-Cookie", "Clear-Site-Data")
            ),
            404: _NO_SESSIONS,
        },
    ),
    Operation(
        "POST",
        f"{_PREFIX}/refresh",
        "refresh",
        TAG,
        "Prove the password again",
        {200: _USER, 404: _NO_SESSIONS},
        body=BodySpec("Proof", FORM),
        takes_secret=True,
        text="What is sensitive asks for a proof within `REAUTH_WINDOW`.",
    ),
    Operation(
        "POST",
        f"{_PREFIX}/reset",
        "resetPassword",
        TAG,
        "Set a forgotten password by the code of an admin",
        {
            200: ResponseSpec(
                "It is set, and all sessions have ended.", "Empty"
            ),
            403: ResponseSpec("Another site is behind the request."),
        },
        access=Access.OPEN,
        body=BodySpec("Reset", FORM),
        takes_secret=True,
    ),
    Operation(
        "GET",
        f"{_PREFIX}/sessions",
        "listSessions",
        TAG,
        "List one's own sessions",
        {
            200: ResponseSpec("The live ones, newest first.", ["Session"]),
            404: _NO_SESSIONS,
        },
    ),
    Operation(
        "DELETE",
        f"{_PREFIX}/sessions",
        "endOtherSessions",
        TAG,
        "End all one's other sessions",
        {200: ResponseSpec("Their number.", "Ended"), 404: _NO_SESSIONS},
    ),
    Operation(
        "DELETE",
        f"{_PREFIX}/sessions/<handle>",
        "endSession",
        TAG,
        "End one of one's own sessions",
        {
            200: ResponseSpec(
                "It is gone; the cookie too, if it was this one.",
                "Empty",
                ("Set-Cookie",),
            ),
            404: ResponseSpec("There is no such session of this user."),
        },
    ),
    Operation(
        "GET",
        f"{_PREFIX}/verify",
        "verify",
        TAG,
        "Say who a request is of, for a proxy in front of any application",
        {
            200: ResponseSpec(
                "The user, in headers and body.",
                "User",
                ("Remote-User", "Remote-Email", "Remote-Groups", HEADER),
            ),
            302: ResponseSpec(
                "A browser that loads a page is led to `LOGIN_URL`.",
                headers=("Location", "Session-Ended"),
            ),
            401: _REASON,
        },
        parameters=(
            Parameter(
                "redirect",
                "query",
                "`off`: 401 instead of 302, with the `Location`.",
                "off",
                ("off",),
            ),
            _forwarded("Host", "Host that was asked for.", "app.example"),
            _forwarded("Uri", "Path that was asked for.", "/inbox"),
            _forwarded("Proto", "How it was asked for.", "https"),
            Parameter(
                "Sec-Fetch-Mode",
                "header",
                "`navigate`: a browser loads a page.",
                "navigate",
            ),
        ),
        is_gate=True,
    ),
)
