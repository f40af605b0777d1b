#!/usr/bin/env python3
"""Declarations and schemas of the routes for second factors."""

from typing import Any

from vestibule.accounts.second_factors import MAX_NAME_LENGTH
from vestibule.api.openapi.operation import (
    FORM_OR_JSON,
    REAUTH_REQUIRED,
    Access,
    BodySpec,
    Operation,
    ResponseSpec,
)
from vestibule.api.openapi.schemas import (
    moment,
    reference,
    request_schema,
    response_schema,
    text,
)

TAG = "second factors"
FACTOR_ID = "2f6d3b0e-64f1-4c43-8f3c-5d8a52a0a1c7"
BROWSER_ID = "7d9c2a61-3a0e-4c5f-8b1d-6e2f4a9c0b33"
_ROOT = "/api/v1/auth_session"
PROOF = (
    "Needs the password or a factor within `REAUTH_WINDOW`; of a user who"
    " has factors, a session that gave one."
)
NO_FACTOR = ResponseSpec("There is no such factor, or there are no sessions.")
_NO_USER = ResponseSpec("There is no such user.")
_BROWSERS = ResponseSpec("The browsers, newest first.", ["TrustedBrowser"])
_CODES = ResponseSpec("The codes, which are shown once.", "RecoveryCodes")

FACTOR_OPERATIONS = (
    Operation(
        "POST",
        f"{_ROOT}/second-factor",
        "giveSecondFactor",
        TAG,
        "Continue a login by a second factor",
        {
            200: ResponseSpec(
                "The user, and a cookie with a new session id.",
                "User",
                ("Set-Cookie",),
            ),
            401: ResponseSpec(
                "The code is wrong, or no login of this browser waits.",
                headers=("WWW-Authenticate",),
            ),
            403: ResponseSpec(
                "The factor is switched off after too many wrong codes, or"
                " another site made the browser send the request."
            ),
            404: ResponseSpec("The mechanism has no sessions."),
        },
        access=Access.OPEN,
        body=BodySpec("SecondFactor", FORM_OR_JSON),
        takes_secret=True,
        text="A login of a user with a second factor answers 401 with"
        " `second factor required`, and sets the cookie that this needs.",
    ),
    Operation(
        "POST",
        f"{_ROOT}/factor-reset",
        "resetFactors",
        TAG,
        "Remove all second factors by an admin's code, and log in",
        {
            200: ResponseSpec(
                "The user, and a cookie with a new session id.",
                "User",
                ("Set-Cookie",),
            ),
            400: ResponseSpec("A field is missing, or the code is wrong."),
            401: ResponseSpec(
                "The email or the password is wrong.",
                headers=("WWW-Authenticate",),
            ),
            403: ResponseSpec(
                "The user must confirm the email first, or another site made"
                " the browser send the request."
            ),
            404: ResponseSpec("The mechanism has no sessions."),
        },
        access=Access.OPEN,
        body=BodySpec("FactorReset", FORM_OR_JSON),
        takes_secret=True,
        text="The code counts only with the password. All other sessions of"
        " the user end.",
    ),
    Operation(
        "GET",
        "/api/v1/users/<user_id>/factors",
        "listFactorsOf",
        TAG,
        "List a user's second factors",
        {
            200: ResponseSpec("The factors, oldest first.", "Factors"),
            404: _NO_USER,
        },
        access=Access.ADMIN,
    ),
    Operation(
        "POST",
        "/api/v1/users/<user_id>/factor-reset",
        "issueFactorReset",
        TAG,
        "Issue a one-time code to remove a user's second factors",
        {
            200: ResponseSpec("The code. It is not shown again.", "ResetCode"),
            404: _NO_USER,
        },
        access=Access.ADMIN,
        text=f"{REAUTH_REQUIRED} The admin must have given a second factor in"
        " this session, and may not do it to their own account: else 403.",
    ),
    Operation(
        "GET",
        f"{_ROOT}/factors",
        "listFactors",
        TAG,
        "List your second factors",
        {
            200: ResponseSpec("The factors, oldest first.", "Factors"),
            404: ResponseSpec("The mechanism has no sessions."),
        },
    ),
    Operation(
        "POST",
        f"{_ROOT}/factors",
        "addFactor",
        TAG,
        "Begin to enroll an authenticator app",
        {
            201: ResponseSpec(
                "The app, which counts after its first right code.", "NewApp"
            ),
            404: ResponseSpec("There is no `SECRETS_KEY`, or no session."),
        },
        body=BodySpec("FactorName"),
        text=PROOF,
    ),
    Operation(
        "POST",
        f"{_ROOT}/factors/proof",
        "proveFactor",
        TAG,
        "Confirm a factor that you have",
        {
            200: ResponseSpec(
                "The session has a new id.", "Empty", ("Set-Cookie",)
            ),
            404: ResponseSpec("The mechanism has no sessions."),
        },
        body=BodySpec("FactorProof"),
        takes_secret=True,
    ),
    Operation(
        "POST",
        f"{_ROOT}/factors/<factor_id>/confirm",
        "confirmFactor",
        TAG,
        "Finish to enroll an authenticator app by its first code",
        {
            200: ResponseSpec(
                "Recovery codes, if you had none. The session has a new id.",
                "RecoveryCodes",
                ("Set-Cookie",),
            ),
            404: NO_FACTOR,
        },
        body=BodySpec("FactorCode"),
        takes_secret=True,
        text=PROOF,
    ),
    Operation(
        "PUT",
        f"{_ROOT}/factors/<factor_id>",
        "nameFactor",
        TAG,
        "Rename a second factor",
        {200: ResponseSpec("The factor.", "Factor"), 404: NO_FACTOR},
        body=BodySpec("FactorName"),
        text=PROOF,
    ),
    Operation(
        "DELETE",
        f"{_ROOT}/factors/<factor_id>",
        "deleteFactor",
        TAG,
        "Remove a second factor",
        {
            200: ResponseSpec("The factor is gone.", "Empty"),
            404: NO_FACTOR,
            409: ResponseSpec(
                "It is the last passkey of a user who has no password."
            ),
        },
        text=f"{PROOF} The recovery codes go with the last factor.",
    ),
    Operation(
        "POST",
        f"{_ROOT}/recovery-codes",
        "newRecoveryCodes",
        TAG,
        "Make new recovery codes",
        {200: _CODES, 404: NO_FACTOR},
        text=f"{PROOF} The codes before stop working.",
    ),
    Operation(
        "GET",
        f"{_ROOT}/trusted-browsers",
        "listTrustedBrowsers",
        TAG,
        "List the browsers that you trust",
        {200: _BROWSERS, 404: ResponseSpec("The mechanism has no sessions.")},
        text="They are not asked for the second factor, for 30 days.",
    ),
    Operation(
        "DELETE",
        f"{_ROOT}/trusted-browsers/<browser_id>",
        "stopTrustingBrowser",
        TAG,
        "Stop trusting a browser",
        {
            200: ResponseSpec("It is asked for the factor again.", "Empty"),
            404: ResponseSpec("You trust no browser with this id."),
        },
    ),
    Operation(
        "GET",
        "/api/v1/users/<user_id>/trusted-browsers",
        "listTrustedBrowsersOf",
        TAG,
        "List the browsers that a user trusts",
        {200: _BROWSERS, 404: _NO_USER},
        access=Access.ADMIN,
    ),
    Operation(
        "DELETE",
        "/api/v1/users/<user_id>/trusted-browsers/<browser_id>",
        "stopTrustingBrowserOf",
        TAG,
        "Stop trusting a browser of a user",
        {
            200: ResponseSpec("It is asked for the factor again.", "Empty"),
            404: ResponseSpec("There is no such user, or no such browser."),
        },
        access=Access.ADMIN,
        text=REAUTH_REQUIRED,
    ),
)


def factor_schemas() -> dict[str, Any]:
    """Return the schemas of requests and responses about factors."""
    code = text("The six digits that the app shows.", "123456", minLength=1)
    recovery = text(
        "A recovery code.", "7KQ2-M9XF-3HTD-V0RB-5NWC-8EGJ", minLength=1
    )
    name = text("What you call the app.", "phone", maxLength=MAX_NAME_LENGTH)
    return {
        "SecondFactor": request_schema(
            "A code of an app, a recovery code, or in JSON a `passkey`.",
            {
                "code": code,
                "recovery_code": recovery,
                "trust": text(
                    "Whether the next logins with the cookies of this client"
                    " skip this step, for 30 days.",
                    "on",
                    enum=["on", "off"],
                ),
            },
            optional=("recovery_code", "trust"),
        ),
        "FactorReset": request_schema(
            "Email, password, and the code of an admin.",
            {
                "email": text("The email.", "bob@hbtn.io", minLength=1),
                "password": text(
                    "The password.", "correct horse battery", minLength=1
                ),
                "code": text(
                    "The code.",
                    "7KQ2-M9XF-3HTD-V0RB-5NWC-8EGJ-2DKA",
                    minLength=1,
                ),
            },
        ),
        "FactorName": request_schema(
            "The name of a factor.",
            {"name": {**name, "minLength": 1}},
        ),
        "FactorCode": request_schema("A code of an app.", {"code": code}),
        "FactorProof": request_schema(
            "A code of an app, or a `passkey`.", {"code": code}
        ),
        **_response_schemas(name, recovery),
    }


def _response_schemas(
    name: dict[str, Any], recovery: dict[str, Any]
) -> dict[str, Any]:
    """Return the schemas of responses, with these of name and code."""
    factor = factor_fields(name)
    return {
        "Factor": response_schema("A second factor.", factor),
        "NewApp": response_schema(
            "An app that is not confirmed, with the seed it needs.",
            {
                **factor,
                "key": text("The seed, to type.", "GEZD GNBV GY3T QOJQ"),
                "otpauth": text(
                    "The seed as a link, for a QR code.",
                    "otpauth://totp/Vestibule:bob%40hbtn.io?secret=GEZDGNBV",
                ),
            },
        ),
        "Factors": response_schema(
            "Your second factors.",
            {
                "factors": {
                    "type": "array",
                    "items": reference("Factor"),
                    "description": "The apps and passkeys, oldest first.",
                },
                "recovery_codes": {
                    "type": "integer",
                    "description": "How many recovery codes are left.",
                    "examples": [10],
                },
            },
        ),
        "TrustedBrowser": _trusted_browser(),
        "RecoveryCodes": response_schema(
            "Recovery codes.",
            {
                "recovery_codes": {
                    "type": "array",
                    "items": recovery,
                    "description": "The codes; each works once.",
                }
            },
        ),
    }


def _trusted_browser() -> dict[str, Any]:
    """Return the schema of a browser that a user trusts."""
    or_null = {"type": ["string", "null"]}
    agent = "Mozilla/5.0 (X11; Linux) Firefox/140.0"
    return response_schema(
        "A browser that is not asked for the second factor.",
        {
            "id": text("Its handle, which gives no access.", BROWSER_ID),
            "created_at": moment("When the user gave the factor there."),
            "expires_at": moment("When it is asked again."),
            "ip": text("Its address then.", "192.0.2.7", **or_null),
            "user_agent": text("Its user agent then.", agent, **or_null),
            "device": text(
                "The user agent in words.", "Firefox on Linux", **or_null
            ),
        },
    )


def factor_fields(name: dict[str, Any]) -> dict[str, Any]:
    """Return the fields of a factor in a response."""
    return {
        "id": text("The id of the factor.", FACTOR_ID),
        "kind": text("What it is.", "totp", enum=["totp", "passkey"]),
        "name": name,
        "created_at": moment("When it was added."),
        "last_used_at": moment(
            "When it was last used.", type=["string", "null"]
        ),
        "switched_off": {
            "type": "boolean",
            "description": "Whether it failed too often in a row.",
            "examples": [False],
        },
    }
