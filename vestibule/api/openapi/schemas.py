#!/usr/bin/env python3
"""The shapes of what is sent and answered, each declared once.

Its law: an answer has all the fields of its shape and no other; a body
may have more, which is not read.
"""

from typing import Any

from vestibule.core import settings
from vestibule.db.models.user import Role

_ID = "7f8b5c1e-53a5-4b1c-9d5e-0a6f3a1c2b4d"
_HANDLE = "0d2b6a54-8f0c-4c5e-9f9e-3f0f6c6f3f11"
_PASSWORD = "violet umbrella"


def reference(name: str) -> dict[str, Any]:
    """Return a reference to the shape of this name."""
    return {"$ref": f"#/components/schemas/{name}"}


def text(meaning: str, example: Any, **more: Any) -> dict[str, Any]:
    """Return the schema of a text; `more` may say that it can be null."""
    return {
        "type": "string",
        "description": meaning,
        "examples": [example],
        **more,
    }


def moment(meaning: str, **more: Any) -> dict[str, Any]:
    """Return the schema of a moment in UTC, as JSON has it here."""
    pattern = r"^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d$"
    return text(meaning, "2026-01-31 12:30:00", pattern=pattern, **more)


def response_schema(
    meaning: str, fields: dict[str, Any], optional: tuple[str, ...] = ()
) -> dict[str, Any]:
    """Return the schema of an object of an answer with these `fields`."""
    required = [name for name in fields if name not in optional]
    return {
        "type": "object",
        "description": meaning,
        "properties": fields,
        "required": required,
        "additionalProperties": False,
    }


def request_schema(
    meaning: str, fields: dict[str, Any], optional: tuple[str, ...] = ()
) -> dict[str, Any]:
    """Return the schema of an object of a request with these `fields`."""
    return {
        **response_schema(meaning, fields, optional),
        "additionalProperties": True,
    }


_OR_NULL = {"type": ["string", "null"]}


def response_schemas() -> dict[str, Any]:
    """Return the shapes of answers."""
    return {**_said(), **_shown()}


def _said() -> dict[str, Any]:
    """Return the shapes of what the service says of itself, and errors."""
    return {
        "Empty": response_schema("There is nothing to say.", {}),
        "Ended": response_schema(
            "How many sessions were ended.",
            {
                "ended": {"type": "integer", "minimum": 0, "examples": [2]},
            },
        ),
        "Error": response_schema(
            "What is wrong, in words.",
            {
                "error": text("For a person to read.", "Not found"),
                "field": text(
                    "The field, of body or query, that is wrong.", "role"
                ),
            },
            optional=("field",),
        ),
        "Keys": response_schema(
            "A set of JSON Web Keys (RFC 7517).",
            {
                "keys": {"type": "array", "items": reference("Key")},
            },
        ),
        "Key": response_schema(
            "A public Ed25519 key (RFC 8037).",
            {
                "alg": text("The algorithm.", "EdDSA", const="EdDSA"),
                "crv": text("The curve.", "Ed25519", const="Ed25519"),
                "kid": text(
                    "The key's name, in each token that it signed.", "k1"
                ),
                "kty": text("The kind of key.", "OKP", const="OKP"),
                "use": text("What it is for.", "sig", const="sig"),
                "x": text(
                    "The key itself.",
                    "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo",
                ),
            },
        ),
        "Stats": response_schema(
            "How much there is.",
            {
                "users": {"type": "integer", "minimum": 0, "examples": [1]},
            },
        ),
        "Status": response_schema(
            "The service answers.",
            {
                "status": text("Always the same.", "OK", const="OK"),
            },
        ),
    }


def _shown() -> dict[str, Any]:
    """Return the shapes of users and of what belongs to them."""
    return {
        "ResetCode": response_schema(
            "A one-time code, shown this once.",
            {
                "code": text(
                    "What the user needs to set a new password.",
                    "7KQ2-M9XF-3HTD-V0RB-5NWC-8EGJ-1AYP",
                ),
                "expires_at": moment("When it stops working."),
            },
        ),
        "Session": response_schema(
            "An open session.",
            {
                "id": text("Its handle: names it and opens nothing.", _HANDLE),
                "current": {
                    "type": "boolean",
                    "description": "Whether it is the one that asks.",
                    "examples": [True],
                },
                "created_at": moment("When it began."),
                "last_seen_at": moment(
                    "When it was used, within `SESSION_TOUCH_INTERVAL`.",
                    **_OR_NULL,
                ),
                "expires_at": moment(
                    "When it ends by itself; null: never.", **_OR_NULL
                ),
                "ip": text(
                    "The address it was opened from.", "192.0.2.7", **_OR_NULL
                ),
                "user_agent": text(
                    "The program it was opened by.",
                    "Mozilla/5.0 (X11; Linux) Firefox/140.0",
                    **_OR_NULL,
                ),
                "device": text(
                    "The same, as a person would say it.",
                    "Firefox on Linux",
                    **_OR_NULL,
                ),
                "method": text(
                    "How its user proved who they are.", "password", **_OR_NULL
                ),
            },
        ),
        "User": response_schema(
            "A user, as everybody may see it.",
            {
                "id": text("Names the user and never changes.", _ID),
                "email": text(
                    "As it was given, trimmed.", "bob@hbtn.io", **_OR_NULL
                ),
                "first_name": text("May be missing.", "Bob", **_OR_NULL),
                "last_name": text("May be missing.", "Dylan", **_OR_NULL),
                "created_at": moment("When it was added."),
                "updated_at": moment("When it was changed."),
            },
        ),
    }


def request_schemas() -> dict[str, Any]:
    """Return the shapes of bodies, with the limits of the settings."""
    least = {"minLength": settings.PASSWORD_MIN_LENGTH.read()}
    email = text("An email address.", "bob@hbtn.io", minLength=1)
    some = {"minLength": 1}
    names: dict[str, Any] = {
        name: text("Null takes it away.", example, type=["string", "null"])
        for name, example in (("first_name", "Bob"), ("last_name", "Dylan"))
    }
    current = text("The present password.", "correct horse", **some)
    new = text("The new password.", _PASSWORD, **least)
    return {
        "Credentials": request_schema(
            "Who wants to come in.",
            {
                "email": email,
                "password": text("The password.", _PASSWORD, **some),
            },
        ),
        "Disabled": request_schema(
            "Whether the user may not come in.",
            {
                "disabled": {"type": "boolean", "examples": [True]},
            },
        ),
        "NewEmail": request_schema("Another address.", {"email": email}),
        "NewPassword": request_schema(
            "The present password and a new one.",
            {
                "current_password": current,
                "new_password": new,
            },
        ),
        "NewUser": request_schema(
            "Somebody to add.",
            {
                "email": email,
                "password": text("Their password.", _PASSWORD, **least),
                **names,
            },
            optional=tuple(names),
        ),
        "Names": request_schema(
            "The names to set.", names, optional=tuple(names)
        ),
        "Proof": request_schema("The password again.", {"password": current}),
        "Reset": request_schema(
            "A code and the password to set by it.",
            {
                "email": email,
                "code": text(
                    "What an admin handed out.",
                    "7KQ2-M9XF-3HTD-V0RB-5NWC-8EGJ-1AYP",
                    **some,
                ),
                "new_password": new,
            },
        ),
        "Role": request_schema(
            "What the user is to be.",
            {
                "role": text(
                    "Admins may do everything.",
                    "admin",
                    enum=[*map(str, Role)],
                ),
            },
        ),
    }
