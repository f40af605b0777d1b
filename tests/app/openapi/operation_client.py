#!/usr/bin/env python3
"""A well-formed request for each operation, and users who send it."""

from typing import Any

from flask.testing import FlaskClient

from tests.app.api.service import NEW, Service, basic
from tests.app.openapi.response_checker import ResponseChecker
from tests.e2e.server.accounts import PASSWORD, Account, account
from tests.soft_authenticator import SoftAuthenticator
from vestibule.db.models.user import User

JSON, FORM = "json", "data"
#: An answer to a challenge that is not stored.
UNKNOWN_PASSKEY = SoftAuthenticator().get({"challenge": "x" * 43})
#: The body of a well-formed request, where the operation takes one.
BODIES: dict[str, tuple[str, dict[str, Any]]] = {
    "logIn": (FORM, {"email": "<email>", "password": PASSWORD}),
    "refresh": (FORM, {"password": PASSWORD}),
    "resetPassword": (
        FORM,
        {"email": "<email>", "code": "<code>", "new_password": NEW},
    ),
    "addUser": (JSON, {"email": "new@example.com", "password": NEW}),
    "inviteUser": (JSON, {"email": "invited@example.com"}),
    "nameUser": (JSON, {"first_name": "Bob"}),
    "changeEmail": (JSON, {"email": "other@example.com"}),
    "changePassword": (
        JSON,
        {"current_password": PASSWORD, "new_password": NEW},
    ),
    "askForReset": (FORM, {"email": "<email>"}),
    "confirmEmail": (FORM, {"token": "<token>"}),
    "undoEmailChange": (FORM, {"token": "<token>"}),
    "giveSecondFactor": (FORM, {"code": "123456"}),
    "signInWithPasskey": (JSON, {"passkey": UNKNOWN_PASSKEY}),
    "addPasskey": (JSON, {"name": "laptop", "passkey": UNKNOWN_PASSKEY}),
    "resetFactors": (
        FORM,
        {"email": "<email>", "password": PASSWORD, "code": "wrong"},
    ),
    "addFactor": (JSON, {"name": "phone"}),
    "nameFactor": (JSON, {"name": "tablet"}),
    "proveFactor": (JSON, {"code": "123456"}),
    "confirmFactor": (JSON, {"code": "123456"}),
    "setRole": (JSON, {"role": "member"}),
    "setDisabled": (JSON, {"disabled": True}),
}


class OperationClient:
    """Sends well-formed requests of an admin about one member."""

    def __init__(self, service: Service, checker: ResponseChecker) -> None:
        """Store the member; `checker` checks all responses."""
        self.service = service
        self.checker = checker
        self.bob = account()
        self.code = "wrong"
        self.token = "wrong"

    def send(
        self,
        name: str,
        client: FlaskClient | None = None,
        target: Account | None = None,
        **more: Any,
    ) -> int:
        """Send the well-formed request of an operation, changed by `more`.

        A new admin sends it, about the member, unless others are named.
        Return the status of the answer.
        """
        target = target or self.bob
        places = {"user_id": target.id, "handle": "unknown"}
        places |= {"factor_id": "unknown", "browser_id": "unknown"}
        places |= more.pop("places", {})
        return self.checker.send(
            self.client() if client is None else client,
            name,
            places,
            **{**self._body(name, target), **more},
        ).status_code

    def client(self) -> FlaskClient:
        """Return a client of a new admin with a new session."""
        admin = account("admin")
        client = self.service.client_with_session(admin.session_id)
        if getattr(self.service.mechanism, "scheme", None) == "Basic":
            client = self.service.client()
            client.environ_base["HTTP_AUTHORIZATION"] = basic(admin.user)
        return client

    def guarded(self) -> list[str]:
        """Return the operations that require a user."""
        return [
            name
            for name, (_, _, operation) in self.checker.operations.items()
            if operation["security"]
        ]

    def _body(self, name: str, target: Account) -> dict[str, Any]:
        """Return the body of a well-formed request."""
        if name not in BODIES:
            return {}
        kind, fields = BODIES[name]
        values = {
            "<email>": target.email,
            "<code>": self.code,
            "<token>": self.token,
        }
        return {
            kind: {
                field: values.get(value, value)
                if isinstance(value, str)
                else value
                for field, value in fields.items()
            }
        }


def demote_all() -> None:
    """Leave no admin in the database."""
    for user in User.all():
        user.role = "member"
        user.save()
