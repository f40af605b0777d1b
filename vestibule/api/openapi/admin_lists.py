#!/usr/bin/env python3
"""Declarations: the admin's desk, what it shows and whom it lets in."""

from collections.abc import Mapping

from vestibule.admin.filters import MAX_FILTER_LENGTH, MOST, USUAL
from vestibule.admin.statistics import PERIODS
from vestibule.api.openapi.operation import (
    REAUTH_REQUIRED,
    Access,
    BodySpec,
    Operation,
    Parameter,
    ResponseSpec,
)
from vestibule.audit.export import FIELDS, FORMATS
from vestibule.audit.log import EventType
from vestibule.db.models.user import Role

TAG = "desk"
_USER = "/api/v1/users/<user_id>"
_NOBODY = ResponseSpec("There is no such user.")
_NO_SESSIONS = ResponseSpec("The mechanism has no sessions.")
_AMISS = ResponseSpec("A parameter has a value that cannot be meant.")
_YES_NO = ("yes", "no")
_SHORT = {"maxLength": MAX_FILTER_LENGTH}


def _operation(
    method: str,
    path: str,
    name: str,
    summary: str,
    answers: Mapping[int, ResponseSpec],
    parameters: tuple[Parameter, ...] = (),
    text: str = "",
    body: BodySpec | None = None,
) -> Operation:
    """Return the declaration of a route of the desk.

    What has parameters refuses values that they do not take.
    """
    refused = {400: _AMISS} if parameters else {}
    return Operation(
        method,
        path,
        name,
        TAG,
        summary,
        {**refused, **answers},
        Access.ADMIN,
        text,
        body,
        parameters,
    )


def _typed(name: str, meaning: str, example: str) -> Parameter:
    """Return a parameter that is a text of limited length."""
    return Parameter(name, "query", meaning, example, more=_SHORT)


def _chosen(
    name: str, meaning: str, example: str, choices: tuple[str, ...]
) -> Parameter:
    """Return a parameter that is one of a few words."""
    return Parameter(name, "query", meaning, example, choices)


def _moment(name: str, meaning: str, example: str) -> Parameter:
    """Return a parameter that is a moment or a day."""
    return Parameter(
        name,
        "query",
        meaning,
        example,
        more={
            "anyOf": [
                {"format": "date-time"},
                {"format": "date"},
                {"pattern": r"^\d{4}-\d\d-\d\dT\d\d:\d\d(:\d\d)?$"},
            ]
        },
    )


_PAGE = (
    Parameter(
        "limit",
        "query",
        "Rows of the page at most.",
        USUAL,
        more={
            "type": "integer",
            "minimum": 1,
            "maximum": MOST,
            "default": USUAL,
        },
    ),
    Parameter(
        "after",
        "query",
        "The `next` of the page before, with the same filter.",
        "9f2c1a7be04d3c58WyIxNzY5ODYyNjAwMDAwMDAwMDAwIl0=",
    ),
)
_WHOSE = _typed("user", "An id or an email.", "bob@hbtn.io")
_NETWORK = _typed("network", "An address of it.", "192.0.2.7")
_WHICH_EVENTS = (
    _WHOSE,
    _chosen("kind", "What happened.", "login", tuple(map(str, EventType))),
    _NETWORK,
    _moment(
        "since",
        "ISO 8601; in UTC unless it says otherwise.",
        "2026-01-31T12:30:00Z",
    ),
    _moment("until", "The same; this moment is not in it.", "2026-02-01"),
)
_ROW = ("2026-01-31T12:30:00.123456+00:00", "login", "192.0.2.7")
_FILES = (
    (
        FORMATS["csv"].mimetype,
        ",".join(FIELDS) + "\r\n{0},{1},,,{2},,,,,,1\r\n".format(*_ROW),
    ),
    (
        FORMATS["jsonl"].mimetype,
        '{{"time":"{0}","kind":"{1}","user_id":null,"by_id":null,"ip":"{2}",'
        '"network":null,"user_agent":null,"handle":null,"reason":null,'
        '"count":null,"times":1}}\n'.format(*_ROW),
    ),
)

OPERATIONS = (
    _operation(
        "GET",
        "/api/v1/admin/users",
        "findUsers",
        "Find users by search and filters",
        {200: ResponseSpec("A page of them.", "UsersPage")},
        (
            _typed(
                "q",
                "How an email, a first or last name, or both names begin.",
                "bob",
            ),
            _chosen("role", "What they are.", "admin", tuple(map(str, Role))),
            _chosen(
                "disabled", "Whether they may not come in.", "no", _YES_NO
            ),
            _chosen("signed_in", "Whether they ever came in.", "yes", _YES_NO),
            *_PAGE,
        ),
    ),
    _operation(
        "POST",
        "/api/v1/admin/users",
        "inviteUser",
        "Add a user, who sets a password by a one-time code",
        {
            201: ResponseSpec(
                "The user, and the code, shown this once.", "Invited"
            )
        },
        text=REAUTH_REQUIRED,
        body=BodySpec("Invitation"),
    ),
    _operation(
        "GET",
        "/api/v1/admin/users/<user_id>",
        "showUserToAdmins",
        "Show a user, and how it stands",
        {200: ResponseSpec("The user.", "UserForAdmins"), 404: _NOBODY},
    ),
    _operation(
        "GET",
        f"{_USER}/failures",
        "showFailures",
        "Show how often signing in as a user failed",
        {
            200: ResponseSpec("What failed in the last hour.", "Failures"),
            404: _NOBODY,
        },
    ),
    _operation(
        "DELETE",
        f"{_USER}/failures",
        "forgetFailures",
        "Let nobody wait for a user's account any more",
        {200: ResponseSpec("Nobody does.", "Empty"), 404: _NOBODY},
        text=REAUTH_REQUIRED,
    ),
    _operation(
        "GET",
        "/api/v1/sessions",
        "listAllSessions",
        "List everybody's sessions",
        {
            200: ResponseSpec(
                "A page of the live ones, newest first.", "SessionsPage"
            ),
            404: _NO_SESSIONS,
        },
        (
            _WHOSE,
            _NETWORK,
            _typed(
                "device", "A part of what the device is called.", "Firefox"
            ),
            *_PAGE,
        ),
    ),
    _operation(
        "DELETE",
        "/api/v1/sessions/<handle>",
        "endAnySession",
        "End a session, whosever it is",
        {
            200: ResponseSpec("It is gone.", "Empty"),
            404: ResponseSpec(
                "There is no such session, or the mechanism has no sessions."
            ),
        },
        text=REAUTH_REQUIRED,
    ),
    _operation(
        "GET",
        "/api/v1/events",
        "listEvents",
        "List what happened",
        {200: ResponseSpec("A page of it, newest first.", "EventsPage")},
        (*_WHICH_EVENTS, *_PAGE),
    ),
    _operation(
        "GET",
        "/api/v1/events/export",
        "exportEvents",
        "Send what happened as a file",
        {
            200: ResponseSpec(
                "All of it, newest first, as it is read: a line of names and"
                " one for each event, or an object for each line. If reading"
                " fails meanwhile, the last line is an error.",
                "Text",
                ("Content-Disposition",),
                texts=_FILES,
            )
        },
        (
            *_WHICH_EVENTS,
            _chosen(
                "format",
                "CSV (RFC 4180) or JSON lines; CSV if nothing is said.",
                "csv",
                tuple(FORMATS),
            ),
        ),
    ),
    _operation(
        "GET",
        "/api/v1/figures",
        "showFigures",
        "Show how much happened in a period",
        {200: ResponseSpec("The sums of its slots, oldest first.", "Figures")},
        (
            _chosen(
                "period",
                "The time that ends now; a day if nothing is said.",
                "day",
                tuple(PERIODS),
            ),
        ),
    ),
)
