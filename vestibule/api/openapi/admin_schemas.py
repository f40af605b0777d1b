#!/usr/bin/env python3
"""The shapes of what admins see, and of whom they invite.

Its law: kinds, periods and limits come from where they are the rule.
"""

from typing import Any

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
    """Return the schema of a whole number; `more` may say otherwise."""
    return {
        "type": "integer",
        "minimum": 0,
        "description": meaning,
        "examples": [example],
        **more,
    }


def admin_schemas() -> dict[str, Any]:
    """Return the shapes of what admins are answered and may send."""
    return {**_users(), **_sessions(), **_events(), **_figures()}


def _page(meaning: str, rows: str, of: str) -> dict[str, Any]:
    """Return the shape of a page of a list: its rows, and the next one."""
    return response_schema(
        meaning,
        {
            rows: {"type": "array", "items": reference(of)},
            "next": text(
                "What `after` is on the next page; null at the end.",
                "9f2c1a7be04d3c58WyIxNzY5ODYyNjAwMDAwMDAwMDAwIl0=",
                **_OR_NULL,
            ),
        },
    )


def _users() -> dict[str, Any]:
    """Return the shapes of users, and of what is done about them."""
    shapes, fields = (
        response_schemas(),
        request_schemas()["NewUser"]["properties"],
    )
    names = ("first_name", "last_name")
    return {
        "Failures": response_schema(
            "Failed attempts of the last hour.",
            {
                "count": number("Without a success in between.", 3),
                "last_at": moment("When it failed last.", **_OR_NULL),
                "retry_after": number(
                    "Seconds for which networks that failed have to wait.", 0
                ),
            },
        ),
        "Invitation": request_schema(
            "Somebody to add without a password.",
            {name: fields[name] for name in ("email", *names)},
            optional=names,
        ),
        "Invited": response_schema(
            "A new user, and the code to set a password.",
            {
                "user": reference("UserForAdmins"),
                **shapes["ResetCode"]["properties"],
            },
        ),
        "UserForAdmins": response_schema(
            "A user, and how it stands.",
            {
                **shapes["User"]["properties"],
                "role": text(
                    "Admins may do everything.",
                    "member",
                    enum=[*map(str, Role)],
                ),
                "disabled_at": moment(
                    "Since when it may not come in; null: it may.", **_OR_NULL
                ),
                "signed_in_at": moment(
                    "When it signed in last, as far as it is known.",
                    **_OR_NULL,
                ),
            },
        ),
        "UsersPage": _page("Users.", "users", "UserForAdmins"),
    }


def _sessions() -> dict[str, Any]:
    """Return the shapes of everybody's sessions."""
    return {
        "SessionForAdmins": response_schema(
            "An open session, and whose it is.",
            {
                **response_schemas()["Session"]["properties"],
                "user_id": text("The id of its user.", _ID),
            },
        ),
        "SessionsPage": _page(
            "Live sessions.", "sessions", "SessionForAdmins"
        ),
    }


def _events() -> dict[str, Any]:
    """Return the shapes of what happened."""
    return {
        "Event": response_schema(
            "What happened, once or several times alike.",
            {
                "time": text(
                    "When, in UTC; the last time of several.",
                    "2026-01-31T12:30:00.123456+00:00",
                    format="date-time",
                    pattern=r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d"
                    r"(\.\d{6})?\+00:00$",
                ),
                "kind": text(
                    "What it was.", "login", enum=[*map(str, EventType)]
                ),
                "user_id": text("To whom.", _ID, **_OR_NULL),
                "by_id": text(
                    "Who did it, if that is somebody else: a user, or"
                    " `cli:` and who was at the command line.",
                    _ID,
                    **_OR_NULL,
                ),
                "ip": text(
                    "The address it came from.", "192.0.2.7", **_OR_NULL
                ),
                "network": text(
                    "What one client has for itself.",
                    "192.0.2.7/32",
                    **_OR_NULL,
                ),
                "user_agent": text(
                    "The program it came from.",
                    "Mozilla/5.0 (X11; Linux) Firefox/140.0",
                    **_OR_NULL,
                ),
                "handle": text(
                    "The session it is about.",
                    "0d2b6a54-8f0c-4c5e-9f9e-3f0f6c6f3f11",
                    **_OR_NULL,
                ),
                "reason": text("Why.", "expired", **_OR_NULL),
                "count": number(
                    "Of how many sessions it tells.",
                    2,
                    type=["integer", "null"],
                ),
                "times": number("How often it happened.", 1, minimum=1),
            },
        ),
        "EventsPage": _page("What happened.", "events", "Event"),
    }


def _figures() -> dict[str, Any]:
    """Return the shapes of the sums of a period."""
    return {
        "Figures": response_schema(
            "How much happened in each slot of a period.",
            {
                "period": text(
                    "The time that ends now.", "day", enum=[*PERIODS]
                ),
                "slots": {"type": "array", "items": reference("Slot")},
            },
        ),
        "Slot": response_schema(
            "A part of a period.",
            {
                "from": moment("When it begins."),
                "hours": number("Its length.", 1, minimum=1),
                "logins": number("Who came in.", 12),
                "failures": number("Attempts that failed.", 2),
                "throttled": number("Attempts that were told to wait.", 0),
                "sessions": number(
                    "Live ones when somebody looked last; null: nobody did.",
                    7,
                    type=["integer", "null"],
                ),
                "new_users": number("Who was added.", 1),
                "hash_ms": number(
                    "Milliseconds of one password hash; null: there was none.",
                    48.5,
                    type=["number", "null"],
                ),
            },
        ),
    }
