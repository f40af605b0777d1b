#!/usr/bin/env python3
"""The schemas of requests and responses, each declared once.

A response has all fields of its schema and no others; a request may have
more fields, which are ignored."""

from typing import Any

from vestibule.accounts.users import MAX_NAME_LENGTH
from vestibule.core import page_settings, settings
from vestibule.core.passwords import MAX_PASSWORD_BYTES
from vestibule.core.text import MAX_EMAIL_LENGTH
from vestibule.db.models.user import Role

_ID = "7f8b5c1e-53a5-4b1c-9d5e-0a6f3a1c2b4d"
_HANDLE = "0d2b6a54-8f0c-4c5e-9f9e-3f0f6c6f3f11"
_PASSWORD = "violet umbrella"


def reference(name: str) -> dict[str, Any]:
    """Return a reference to the schema with this name."""
    return {"$ref": f"#/components/schemas/{name}"}


def text(meaning: str, example: Any, **more: Any) -> dict[str, Any]:
    """Return the schema of a text; `more` adds or replaces keys."""
    return {
        "type": "string",
        "description": meaning,
        "examples": [example],
        **more,
    }


def moment(meaning: str, **more: Any) -> dict[str, Any]:
    """Return the schema of a time in UTC, as `to_json` writes it."""
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
    """Return the schemas of answers."""
    return {**_service(), **_keys(), **_users(), **_session()}


def _service() -> dict[str, Any]:
    """Return the schemas of the service's state, of counts and of errors."""
    return {
        "Empty": response_schema("An empty object.", {}),
        "Ended": response_schema(
            "How many sessions ended.",
            {
                "ended": {"type": "integer", "minimum": 0, "examples": [2]},
            },
        ),
        "Error": response_schema(
            "An error.",
            {
                "error": text("A text for people.", "Not found"),
                "field": text(
                    "The field of the body or query that is wrong.", "role"
                ),
            },
            optional=("field",),
        ),
        "Stats": response_schema(
            "How many users there are.",
            {
                "users": {"type": "integer", "minimum": 0, "examples": [1]},
            },
        ),
        "Status": response_schema(
            "The service is up.",
            {
                "status": text("Always the same.", "OK", const="OK"),
            },
        ),
    }


def _keys() -> dict[str, Any]:
    """Return the schemas of the public signing keys."""
    return {
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
                    "The id of the key, in each token that it signed.", "k1"
                ),
                "kty": text("The kind of key.", "OKP", const="OKP"),
                "use": text("What it is for.", "sig", const="sig"),
                "x": text(
                    "The key itself.",
                    "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo",
                ),
            },
        ),
    }


def _user_fields() -> dict[str, Any]:
    """Return the fields of a user for every reader."""
    return {
        "id": text("Names the user and never changes.", _ID),
        "email": text(
            "The email as it was given, trimmed.",
            "bob@example.com",
            **_OR_NULL,
        ),
        "first_name": text("The name, if there is one.", "Bob", **_OR_NULL),
        "last_name": text("The name, if there is one.", "Dylan", **_OR_NULL),
        "created_at": moment("When the user was added."),
        "updated_at": moment("When the user was last changed."),
    }


def _users() -> dict[str, Any]:
    """Return the schemas of a user and of a reset code."""
    return {
        "ResetCode": response_schema(
            "A one-time code. It is not shown again.",
            {
                "code": text(
                    "The code to set a new password with.",
                    "7KQ2-M9XF-3HTD-V0RB-5NWC-8EGJ-1AYP",
                ),
                "expires_at": moment("When the code expires."),
                "link": text(
                    "The page that takes the code, with email and code in"
                    " its fragment; null without pages or an email.",
                    "https://a.example/reset#email=bob%40example.com&code=7K",
                    **_OR_NULL,
                ),
            },
        ),
        "Access": response_schema(
            "What a user may do, as forward authentication decides.",
            {
                "id": text("Names the user and never changes.", _ID),
                "role": text("The role.", "member", **_OR_NULL),
                "groups": {
                    "type": "array",
                    "items": text("A group.", "member"),
                    "description": "The groups, now the role alone.",
                    "examples": [["member"]],
                },
            },
        ),
        "ListedUser": response_schema(
            "A user, or the names of one.",
            {**_user_fields(), "name": text("Both names.", "Bob Dylan")},
            optional=("email", "created_at", "updated_at", "name"),
        ),
        "User": response_schema(
            "A user, with the fields for every reader.",
            _user_fields(),
        ),
    }


def _session() -> dict[str, Any]:
    """Return the schema of a session."""
    return {
        "Session": response_schema(
            "A live session.",
            {
                "id": text(
                    "The public handle, which gives no access.", _HANDLE
                ),
                "current": {
                    "type": "boolean",
                    "description": "Whether it is the session of the request.",
                    "examples": [True],
                },
                "created_at": moment("When the session started."),
                "last_seen_at": moment(
                    "The last use, to within `SESSION_TOUCH_INTERVAL`.",
                    **_OR_NULL,
                ),
                "expires_at": moment(
                    "When the session expires; null if never.", **_OR_NULL
                ),
                "ip": text(
                    "The address of the login.", "192.0.2.7", **_OR_NULL
                ),
                "user_agent": text(
                    "The user agent of the login.",
                    "Mozilla/5.0 (X11; Linux) Firefox/140.0",
                    **_OR_NULL,
                ),
                "device": text(
                    "The user agent in words.",
                    "Firefox on Linux",
                    **_OR_NULL,
                ),
                "method": text(
                    "How the user authenticated.", "password", **_OR_NULL
                ),
                **_session_facts(),
                **_applications(),
            },
        ),
    }


def _session_facts() -> dict[str, Any]:
    """Return the schemas of how the user of a session signed in."""
    return {
        "methods": {
            "type": "array",
            "items": text("A method, as in RFC 8176.", "pwd"),
            "description": "The proofs that the user gave.",
            "examples": [["pwd", "otp"]],
        },
        "level": {
            "type": "integer",
            "description": "2 after two factors, else 1.",
            "examples": [2],
        },
    }


def _applications() -> dict[str, Any]:
    """Return the property with a session's applications, if there is one."""
    if not page_settings.APP_HOSTS.read():
        return {}
    return {
        "applications": {
            "type": "array",
            "items": text("A host of `APP_HOSTS`.", "app.example.com"),
            "description": "The hosts with a session that ends with this one.",
        }
    }


def request_schemas() -> dict[str, Any]:
    """Return the schemas of bodies, with the limits of the settings."""
    return {**_secret_bodies(), **_account_bodies()}


def _email() -> dict[str, Any]:
    """Return the schema of an email in a body."""
    return text(
        "An email address.",
        "bob@example.com",
        minLength=1,
        maxLength=MAX_EMAIL_LENGTH,
    )


def _new_password(meaning: str) -> dict[str, Any]:
    """Return the schema of a password to set, with the allowed lengths."""
    return text(
        f"{meaning} At most {MAX_PASSWORD_BYTES} bytes in UTF-8.",
        _PASSWORD,
        minLength=settings.PASSWORD_MIN_LENGTH.read(),
        maxLength=MAX_PASSWORD_BYTES,
    )


def _secret_bodies() -> dict[str, Any]:
    """Return the schemas of bodies with a password that is checked."""
    some = {"minLength": 1}
    email, new = _email(), _new_password("The new password.")
    current = text("The present password.", "correct horse", **some)
    token = text("The token of a mail's link.", "s3Zp0q", **some)
    return {
        "Credentials": request_schema(
            "The credentials to log in with.",
            {
                "email": email,
                "password": text("The password.", _PASSWORD, **some),
            },
        ),
        "NewPassword": request_schema(
            "The present password and a new one.",
            {
                "current_password": current,
                "new_password": new,
            },
        ),
        "Proof": request_schema("The password again.", {"password": current}),
        "Reset": request_schema(
            "A code and the password to set with it. The token of a mail's"
            " link replaces the email and the code.",
            {
                "email": email,
                "code": text(
                    "The code from an admin, or from a mail.",
                    "7KQ2-M9XF-3HTD-V0RB-5NWC-8EGJ-1AYP",
                    **some,
                ),
                "token": token,
                "new_password": new,
            },
            optional=("email", "code", "token"),
        ),
        "AskForMail": request_schema(
            "The address to send a mail to.", {"email": email}
        ),
        "MailToken": request_schema(
            "What stands behind `#token=` in a mail's link.",
            {"token": token},
        ),
    }


def _account_bodies() -> dict[str, Any]:
    """Return the schemas of bodies that add or change a user."""
    email = _email()
    names: dict[str, Any] = {
        name: text(
            "Null removes the name.",
            example,
            type=["string", "null"],
            maxLength=MAX_NAME_LENGTH,
        )
        for name, example in (("first_name", "Bob"), ("last_name", "Dylan"))
    }
    return {
        "Disabled": request_schema(
            "Whether to disable the user.",
            {
                "disabled": {"type": "boolean", "examples": [True]},
            },
        ),
        "NewEmail": request_schema("The new email.", {"email": email}),
        "NewUser": request_schema(
            "A user to add.",
            {
                "email": email,
                "password": _new_password("The user's password."),
                **names,
            },
            optional=tuple(names),
        ),
        "Names": request_schema(
            "The names to set.", names, optional=tuple(names)
        ),
        "Role": request_schema(
            "The role to give to the user.",
            {
                "role": text(
                    "An admin may do everything.",
                    "admin",
                    enum=[*map(str, Role)],
                ),
            },
        ),
    }
