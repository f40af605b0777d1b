#!/usr/bin/env python3
"""Declarations and schemas of the routes for passkeys."""

from typing import Any

from vestibule.accounts.second_factors import MAX_NAME_LENGTH
from vestibule.api.openapi.factors import NO_FACTOR, PROOF, TAG, factor_fields
from vestibule.api.openapi.operation import (
    Access,
    BodySpec,
    Operation,
    ResponseSpec,
)
from vestibule.api.openapi.schemas import (
    reference,
    request_schema,
    response_schema,
    text,
)

_ROOT = "/api/v1/auth_session"
_OFF = ResponseSpec("There are no passkeys, or no sessions.")
_OPTIONS = ResponseSpec(
    "What `navigator.credentials.get` takes, as JSON.", "PasskeyRequest"
)
_REFUSED = ResponseSpec(
    "The passkey is refused.", headers=("WWW-Authenticate",)
)

PASSKEY_OPERATIONS = (
    Operation(
        "POST",
        f"{_ROOT}/passkey/options",
        "getPasskeyOptions",
        TAG,
        "Begin to sign in with a passkey",
        {200: _OPTIONS, 404: _OFF},
        access=Access.OPEN,
        text="The challenge is for one use within five minutes. The passkey"
        " must verify the user.",
    ),
    Operation(
        "POST",
        f"{_ROOT}/passkey",
        "signInWithPasskey",
        TAG,
        "Sign in with a passkey",
        {
            200: ResponseSpec(
                "The user, and a cookie with a new session id.",
                "User",
                ("Set-Cookie",),
            ),
            401: _REFUSED,
            404: _OFF,
        },
        access=Access.OPEN,
        body=BodySpec("PasskeyAnswer"),
    ),
    Operation(
        "POST",
        f"{_ROOT}/second-factor/options",
        "getSecondFactorOptions",
        TAG,
        "Begin to continue a login by a passkey",
        {
            200: _OPTIONS,
            401: ResponseSpec(
                "No login of this browser waits.",
                headers=("WWW-Authenticate",),
            ),
            404: _OFF,
        },
        access=Access.OPEN,
        text="The answer goes to `second-factor` as `passkey`.",
    ),
    Operation(
        "POST",
        f"{_ROOT}/factors/proof/options",
        "getProofOptions",
        TAG,
        "Begin to confirm a passkey that you have",
        {200: _OPTIONS, 404: _OFF},
        text="The answer goes to `factors/proof` as `passkey`.",
    ),
    Operation(
        "POST",
        f"{_ROOT}/factors/passkey/options",
        "getNewPasskeyOptions",
        TAG,
        "Begin to enroll a passkey",
        {
            200: ResponseSpec(
                "What `navigator.credentials.create` takes, as JSON.",
                "PasskeyCreation",
            ),
            400: ResponseSpec("You have as many as are possible."),
            404: _OFF,
        },
        text=PROOF,
    ),
    Operation(
        "POST",
        f"{_ROOT}/factors/passkey",
        "addPasskey",
        TAG,
        "Enroll a passkey",
        {
            201: ResponseSpec(
                "The passkey, and recovery codes if you had none. The session"
                " has a new id.",
                "NewPasskey",
                ("Set-Cookie",),
            ),
            404: _OFF,
        },
        body=BodySpec("NewPasskeyAnswer"),
        text=PROOF,
    ),
    Operation(
        "DELETE",
        "/api/v1/users/me/password",
        "removePassword",
        TAG,
        "Remove your password",
        {
            200: ResponseSpec("The password is gone.", "Empty"),
            400: ResponseSpec("There are too few passkeys."),
            404: NO_FACTOR,
        },
        text=f"{PROOF} It needs two passkeys, or one and a recovery code.",
    ),
)


def passkey_schemas() -> dict[str, Any]:
    """Return the schemas of requests and responses about passkeys."""
    answer = _part(
        "The `toJSON` of what the browser returned.",
        {"id": "q83vAQ", "type": "public-key"},
    )
    name = text("What you call it.", "laptop", maxLength=MAX_NAME_LENGTH)
    return {
        "PasskeyAnswer": request_schema(
            "The answer of an authenticator.", {"passkey": answer}
        ),
        "NewPasskeyAnswer": request_schema(
            "A new passkey.",
            {"name": {**name, "minLength": 1}, "passkey": answer},
        ),
        "NewPasskey": response_schema(
            "A new passkey.",
            {
                **factor_fields(name),
                "recovery_codes": {
                    "type": "array",
                    "items": text("A recovery code.", "7KQ2-M9XF-3HTD-V0RB"),
                    "description": "New recovery codes, shown once.",
                },
            },
        ),
        "PasskeyOrigins": response_schema(
            "The origins that may use the passkeys.",
            {
                "origins": {
                    "type": "array",
                    "items": text("An origin.", "https://auth.example.com"),
                    "description": "They are exact.",
                }
            },
        ),
        **_options_schemas(),
    }


def _options_schemas() -> dict[str, Any]:
    """Return the schemas of the options (WebAuthn 3, 5.1.8 and 5.1.9)."""
    part = {"type": "object", "properties": {}, "required": []}
    challenge, timeout, known = _common_options()
    return {
        "PasskeyName": response_schema(
            "What names a passkey to a browser.",
            {
                "type": text("Always this.", "public-key"),
                "id": text("Its id.", "q83vEjRWeJCrze8SNFZ4kA"),
                "transports": {
                    "type": "array",
                    "items": text("A way to reach it.", "internal"),
                    "description": "How browsers may reach it.",
                },
            },
        ),
        "PasskeyRequest": response_schema(
            "Options of a request.",
            {
                "challenge": challenge,
                "timeout": timeout,
                "rpId": text("The RP ID.", "auth.example.com"),
                "allowCredentials": known,
                "userVerification": text(
                    "Whether the user must be verified.", "required"
                ),
            },
        ),
        "PasskeyCreation": response_schema(
            "Options of a creation.",
            {
                "rp": _part("The site.", {"id": "auth.example.com"}),
                "user": _part("The user.", {"name": "bob@example.com"}),
                "challenge": challenge,
                "pubKeyCredParams": {
                    "type": "array",
                    "items": part,
                    "description": "The algorithms.",
                },
                "timeout": timeout,
                "excludeCredentials": known,
                "authenticatorSelection": _part(
                    "What the passkey must be able to do.",
                    {"userVerification": "preferred"},
                ),
                "attestation": text("None is asked for.", "none"),
            },
        ),
    }


def _part(meaning: str, example: dict[str, str]) -> dict[str, Any]:
    """Return the schema of an object that browsers take as it is."""
    return {
        "type": "object",
        "properties": {},
        "required": [],
        "description": meaning,
        "examples": [example],
    }


def _common_options() -> tuple[dict[str, Any], dict[str, Any], dict[str, Any]]:
    """Return the schemas of challenge, timeout and known passkeys."""
    return (
        text("What is to be signed, in Base64url.", "q83vEjRWeJA"),
        {
            "type": "integer",
            "description": "Milliseconds until the challenge expires.",
            "examples": [300_000],
        },
        {
            "type": "array",
            "items": reference("PasskeyName"),
            "description": "Passkeys of the user.",
        },
    )
