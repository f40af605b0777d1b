#!/usr/bin/env python3
"""The schemas of the requests and responses for admins.

Event types, periods and limits come from the modules that define them."""

from typing import Any

from vestibule.accounts.recovery import MAX_INVITATION_HOURS
from vestibule.admin.statistics import PERIODS
from vestibule.api.openapi.schemas import (
    moment,
    reference,
    request_schema,
    request_schemas,
    response_schema,
    response_schemas,
    text,
)
from vestibule.audit.log import EventType
from vestibule.db.models.user import Role

_ID = "7f8b5c1e-53a5-4b1c-9d5e-0a6f3a1c2b4d"
_OR_NULL = {"type": ["string", "null"]}


def number(meaning: str, example: float | None, **more: Any) -> dict[str, Any]:
    """Return the schema of a whole number; `more` adds or replaces keys."""
    return {
        "type": "integer",
        "minimum": 0,
        "description": meaning,
        "examples": [example],
        **more,
    }


def admin_schemas() -> dict[str, Any]:
    """Return the schemas of responses and requests for admins."""
    return {
        **_users(),
        **_invitations(),
        **_sessions(),
        **_events(),
        **_figures(),
    }


def _page(meaning: str, rows: str, of: str) -> dict[str, Any]:
    """Return the schema of a page of a list."""
    return response_schema(
        meaning,
        {
            rows: {"type": "array", "items": reference(of)},
            "next": text(
                "The `after` of the next page; null on the last page.",
                "9f2c1a7be04d3c58WyIxNzY5ODYyNjAwMDAwMDAwMDAwIl0=",
                **_OR_NULL,
            ),
        },
    )


def _users() -> dict[str, Any]:
    """Return the schemas of users and their failures."""
    shapes = response_schemas()
    return {
        "Failures": response_schema(
            "Failed attempts of the last hour.",
            {
                "count": number("Failures since the last success.", 3),
                "last_at": moment("The time of the last failure.", **_OR_NULL),
                "retry_after": number(
                    "Seconds that a network which failed has to wait.", 0
                ),
            },
        ),
        "Invited": response_schema(
            "A new user, and the code to set a password.",
            {
                "user": reference("UserForAdmins"),
                **shapes["ResetCode"]["properties"],
            },
        ),
        "UserForAdmins": response_schema(
            "A user with role and status.",
            {
                **shapes["User"]["properties"],
                "role": text(
                    "An admin may do everything.",
                    "member",
                    enum=[*map(str, Role)],
                ),
                "disabled_at": moment(
                    "When the user was disabled; null if enabled.", **_OR_NULL
                ),
                "signed_in_at": moment(
                    "The time of the last sign-in; null if unknown.",
                    **_OR_NULL,
                ),
                "email_verified": {
                    "type": "boolean",
                    "description": "Whether the user has confirmed the email"
                    " by a mail.",
                    "examples": [False],
                },
            },
        ),
        "UsersPage": _page("Users.", "users", "UserForAdmins"),
    }


def _invitations() -> dict[str, Any]:
    """Return the schemas of invitations, to make and to list."""
    shapes, fields = (
        response_schemas(),
        request_schemas()["NewUser"]["properties"],
    )
    names = ("first_name", "last_name")
    return {
        "Invitation": request_schema(
            "A user to add without a password.",
            {
                **{name: fields[name] for name in ("email", *names)},
                "valid_hours": number(
                    "Hours for which the code is valid; 1 without it.",
                    24,
                    minimum=1,
                    maximum=MAX_INVITATION_HOURS,
                    type=["integer", "null"],
                ),
            },
            optional=(*names, "valid_hours"),
        ),
        "OpenInvitation": response_schema(
            "An invitation that is not used yet.",
            {
                "user_id": text("The id of the invited user.", _ID),
                "email": text("The email.", "bob@example.com", **_OR_NULL),
                **{name: shapes["User"]["properties"][name] for name in names},
                "created_at": moment("When the invitation was made."),
                "expires_at": moment("When the invitation expires."),
                "by_id": text(
                    "The id of the admin who made it, or `cli:` and the user"
                    " at the command line.",
                    _ID,
                    **_OR_NULL,
                ),
            },
        ),
        "InvitationsPage": _page(
            "Open invitations.", "invitations", "OpenInvitation"
        ),
    }


def _sessions() -> dict[str, Any]:
    """Return the schemas of the sessions of all users."""
    return {
        "SessionForAdmins": response_schema(
            "A live session and its user.",
            {
                **response_schemas()["Session"]["properties"],
                "user_id": text("The id of its user.", _ID),
            },
        ),
        "SessionsPage": _page(
            "Live sessions.", "sessions", "SessionForAdmins"
        ),
    }


def _client() -> dict[str, Any]:
    """Return the schemas of an event's fields about the client."""
    return {
        "ip": text("The address of the client.", "192.0.2.7", **_OR_NULL),
        "network": text(
            "The network of the client.",
            "192.0.2.7/32",
            **_OR_NULL,
        ),
        "user_agent": text(
            "The user agent of the client.",
            "Mozilla/5.0 (X11; Linux) Firefox/140.0",
            **_OR_NULL,
        ),
    }


def _events() -> dict[str, Any]:
    """Return the schemas of events."""
    return {
        "Event": response_schema(
            "An event; equal ones are counted in one.",
            {
                "time": text(
                    "The time in UTC; of several, that of the last.",
                    "2026-01-31T12:30:00.123456+00:00",
                    format="date-time",
                    pattern=r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d"
                    r"(\.\d{6})?\+00:00$",
                ),
                "kind": text(
                    "The type of the event.",
                    "login",
                    enum=[*map(str, EventType)],
                ),
                "user_id": text(
                    "The id of the user it is about.", _ID, **_OR_NULL
                ),
                "by_id": text(
                    "The id of the user who did it, if it is another one, or"
                    " `cli:` and the user at the command line.",
                    _ID,
                    **_OR_NULL,
                ),
                **_client(),
                "handle": text(
                    "The handle of the session it is about.",
                    "0d2b6a54-8f0c-4c5e-9f9e-3f0f6c6f3f11",
                    **_OR_NULL,
                ),
                "reason": text("The reason.", "expired", **_OR_NULL),
                "count": number(
                    "How many sessions it is about.",
                    2,
                    type=["integer", "null"],
                ),
                "times": number(
                    "How many equal events this one stands for.", 1, minimum=1
                ),
            },
        ),
        "EventsPage": _page("Events.", "events", "Event"),
    }


def _figures() -> dict[str, Any]:
    """Return the schemas of the statistics."""
    return {
        "Figures": response_schema(
            "The statistics of a period.",
            {
                "period": text(
                    "The period, which ends now.", "day", enum=[*PERIODS]
                ),
                "slots": {"type": "array", "items": reference("Slot")},
            },
        ),
        "Slot": response_schema(
            "A part of a period.",
            {
                "from": moment("The start of the slot."),
                "hours": number(
                    "The length of the slot in hours.", 1, minimum=1
                ),
                "logins": number("Logins.", 12),
                "failures": number("Failed logins.", 2),
                "throttled": number("Throttled logins.", 0),
                "disabled": number("Right passwords of disabled accounts.", 0),
                "sessions": number(
                    "Live sessions at the last count; null if not counted.",
                    7,
                    type=["integer", "null"],
                ),
                "new_users": number("Users added.", 1),
                "hash_ms": number(
                    "Milliseconds per password hash; null if there was none.",
                    48.5,
                    type=["number", "null"],
                ),
            },
        ),
    }
