#!/usr/bin/env python3
"""Declarations of the routes for admins.

They change the accounts of others, and list users, sessions and events.
"""

from collections.abc import Mapping

from vestibule.admin.filters import (
    DEFAULT_PAGE_ROWS,
    MAX_FILTER_LENGTH,
)
from vestibule.admin.statistics import PERIODS
from vestibule.api.openapi.accounts import (
    INVALID_PAGE,
    SESSION_PAGE,
    SESSION_PAGE_PARAMETERS,
    page_parameters,
)
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
from vestibule.db.keyset import MAX_ROWS_SORTED
from vestibule.db.models.user import Role
from vestibule.db.session_search import SESSION_SORTS
from vestibule.db.user_search import SORTS

ACTIONS_TAG = "admin"
_PREFIX = "/api/v1/users/<user_id>"
_NO_USER = ResponseSpec("There is no such user.")
_NO_USER_NOR_SESSIONS = ResponseSpec(
    "There is no such user, or the mechanism has no sessions."
)
_USER = ResponseSpec("The user.", "User")
_LAST = ResponseSpec("The user is the last admin.")


def _action(
    method: str,
    path: str,
    name: str,
    summary: str,
    answers: Mapping[int, ResponseSpec],
    body: BodySpec | None = None,
    text: str = REAUTH_REQUIRED,
) -> Operation:
    """Return the declaration of a route that changes an account."""
    return Operation(
        method,
        path,
        name,
        ACTIONS_TAG,
        summary,
        answers,
        Access.ADMIN,
        text,
        body,
    )


ACTION_OPERATIONS = (
    _action(
        "PUT",
        f"{_PREFIX}/role",
        "setRole",
        "Make a user an admin, or a member again",
        {200: _USER, 404: _NO_USER, 409: _LAST},
        BodySpec("Role"),
    ),
    _action(
        "PUT",
        f"{_PREFIX}/disabled",
        "setDisabled",
        "Disable or enable a user",
        {200: _USER, 404: _NO_USER, 409: _LAST},
        BodySpec("Disabled"),
    ),
    _action(
        "POST",
        f"{_PREFIX}/password-reset",
        "issueReset",
        "Issue a one-time code to reset a user's password",
        {
            200: ResponseSpec("The code. It is not shown again.", "ResetCode"),
            404: _NO_USER,
        },
    ),
    Operation(
        "GET",
        f"{_PREFIX}/sessions",
        "listSessionsOf",
        ACTIONS_TAG,
        "List a user's sessions",
        {
            200: SESSION_PAGE,
            400: INVALID_PAGE,
            404: _NO_USER_NOR_SESSIONS,
        },
        Access.ADMIN,
        parameters=SESSION_PAGE_PARAMETERS,
    ),
    _action(
        "DELETE",
        f"{_PREFIX}/sessions",
        "endSessionsOf",
        "End a user's sessions",
        {
            200: ResponseSpec("How many sessions ended.", "Ended"),
            404: _NO_USER_NOR_SESSIONS,
        },
    ),
    _action(
        "DELETE",
        "/api/v1/sessions",
        "endAllSessions",
        "End all sessions of all users",
        {
            200: ResponseSpec("How many sessions ended.", "Ended"),
            404: ResponseSpec("The mechanism has no sessions."),
        },
    ),
)

LISTS_TAG = "admin lists"
_NO_SESSIONS = ResponseSpec("The mechanism has no sessions.")
_BAD_PARAMETER = ResponseSpec("A parameter has an invalid value.")
_YES_NO = ("yes", "no")
_SHORT = {"maxLength": MAX_FILTER_LENGTH}


def list_operation(
    method: str,
    path: str,
    name: str,
    summary: str,
    answers: Mapping[int, ResponseSpec],
    parameters: tuple[Parameter, ...] = (),
    text: str = "",
    body: BodySpec | None = None,
) -> Operation:
    """Return the declaration of a route that lists or exports.

    A route with parameters answers 400 to an invalid value.
    """
    refused = {400: _BAD_PARAMETER} if parameters else {}
    return Operation(
        method,
        path,
        name,
        LISTS_TAG,
        summary,
        {**refused, **answers},
        Access.ADMIN,
        text,
        body,
        parameters,
    )


def _short_text(name: str, meaning: str, example: str) -> Parameter:
    """Return a parameter that is a short text."""
    return Parameter(name, "query", meaning, example, more=_SHORT)


def choice(
    name: str, meaning: str, example: str, choices: tuple[str, ...]
) -> Parameter:
    """Return a parameter with one of a few values."""
    return Parameter(name, "query", meaning, example, choices)


def _time(name: str, meaning: str, example: str) -> Parameter:
    """Return a parameter that is a time or a date."""
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


PAGE_PARAMETERS = page_parameters(
    DEFAULT_PAGE_ROWS, "The `next` of the previous page, with the same filter."
)
_WHOSE = _short_text("user", "The id or email of a user.", "bob@example.com")
_NETWORK = _short_text("network", "An address in the network.", "192.0.2.7")
_WHICH_EVENTS = (
    _WHOSE,
    choice("kind", "The kind of event.", "login", tuple(map(str, EventType))),
    _NETWORK,
    _time(
        "since",
        "The start (ISO 8601), in UTC without a zone.",
        "2026-01-31T12:30:00Z",
    ),
    _time("until", "The end, which is not included.", "2026-02-01"),
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

LIST_OPERATIONS = (
    list_operation(
        "GET",
        "/api/v1/admin/users",
        "findUsers",
        "Find users by search and filters",
        {200: ResponseSpec("A page of users.", "UsersPage")},
        (
            _short_text(
                "q",
                "Words that are parts of an email or a name; case and accents"
                " do not matter.",
                "bob",
            ),
            choice(
                "role",
                "The role of the users.",
                "admin",
                tuple(map(str, Role)),
            ),
            choice(
                "disabled", "Whether the users are disabled.", "no", _YES_NO
            ),
            choice(
                "signed_in",
                "Whether the users ever signed in.",
                "yes",
                _YES_NO,
            ),
            choice(
                "sort",
                "The order: a column, descending after a minus sign. The"
                " newest users come first without it.",
                "-signed_in",
                SORTS,
            ),
            *PAGE_PARAMETERS,
        ),
    ),
    list_operation(
        "GET",
        "/api/v1/admin/users/<user_id>",
        "showUserToAdmins",
        "Show a user with role and status",
        {200: ResponseSpec("The user.", "UserForAdmins"), 404: _NO_USER},
    ),
    list_operation(
        "GET",
        f"{_PREFIX}/failures",
        "showFailures",
        "Show the failed sign-ins of a user",
        {
            200: ResponseSpec("The failures of the last hour.", "Failures"),
            404: _NO_USER,
        },
    ),
    list_operation(
        "DELETE",
        f"{_PREFIX}/failures",
        "forgetFailures",
        "Unlock sign-in of a user",
        {200: ResponseSpec("Sign-in is unlocked.", "Empty"), 404: _NO_USER},
        text=REAUTH_REQUIRED,
    ),
    list_operation(
        "GET",
        "/api/v1/sessions",
        "listAllSessions",
        "List the sessions of all users",
        {
            200: ResponseSpec("A page of live sessions.", "SessionsPage"),
            404: _NO_SESSIONS,
        },
        (
            _WHOSE,
            _NETWORK,
            _short_text(
                "device", "A part of the name of the device.", "Firefox"
            ),
            choice(
                "sort",
                "The order: a column, descending after a minus sign. The"
                " newest sessions come first without it. The last use sorts"
                f" at most {MAX_ROWS_SORTED} sessions: with more, it needs a"
                " filter.",
                "user",
                SESSION_SORTS,
            ),
            *PAGE_PARAMETERS,
        ),
    ),
    list_operation(
        "DELETE",
        "/api/v1/sessions/<handle>",
        "endAnySession",
        "End a session of any user",
        {
            200: ResponseSpec("The session has ended.", "Empty"),
            404: ResponseSpec(
                "There is no such session, or the mechanism has no sessions."
            ),
        },
        text=REAUTH_REQUIRED,
    ),
    list_operation(
        "GET",
        "/api/v1/events",
        "listEvents",
        "List the events",
        {200: ResponseSpec("A page of events, newest first.", "EventsPage")},
        (*_WHICH_EVENTS, *PAGE_PARAMETERS),
    ),
    list_operation(
        "GET",
        "/api/v1/admin/events",
        "feedEvents",
        "Follow the events",
        {
            200: ResponseSpec(
                "The events after a cursor, in the order in which they were"
                " stored, and the cursor to continue with.",
                "EventsPage",
            )
        },
        PAGE_PARAMETERS,
        text="Each event comes once, also those that were stored late."
        " `next` is always there: ask again with it for later events.",
    ),
    list_operation(
        "GET",
        "/api/v1/events/export",
        "exportEvents",
        "Export the events as a file",
        {
            200: ResponseSpec(
                "All events, newest first: CSV with a header line, or one"
                " JSON object for each line. If reading fails halfway, the"
                " last line is an error.",
                "Text",
                ("Content-Disposition",),
                texts=_FILES,
            )
        },
        (
            *_WHICH_EVENTS,
            choice(
                "format",
                "CSV (RFC 4180) or JSON lines; the default is CSV.",
                "csv",
                tuple(FORMATS),
            ),
        ),
    ),
    list_operation(
        "GET",
        "/api/v1/figures",
        "showFigures",
        "Show the statistics of a period",
        {200: ResponseSpec("The sums of its slots, oldest first.", "Figures")},
        (
            choice(
                "period",
                "The period, which ends now; the default is a day.",
                "day",
                tuple(PERIODS),
            ),
        ),
    ),
)
