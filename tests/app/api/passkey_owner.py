#!/usr/bin/env python3
"""A user with a passkey, and the requests of their browser."""

from typing import Any

from flask.testing import FlaskClient

from tests.app.api.factor_owner import FACTORS
from tests.app.api.service import Service
from tests.soft_authenticator import SoftAuthenticator

SIGN_IN = "/api/v1/auth_session/passkey"
ENROLL = f"{FACTORS}/passkey"


def options(client: FlaskClient, path: str) -> dict[str, Any]:
    """Return the options of a ceremony."""
    answer = client.post(f"{path}/options")
    assert answer.status_code == 200, answer.text
    assert answer.headers["Cache-Control"] == "no-store"
    return dict(answer.get_json())


def enroll(client: FlaskClient, device: SoftAuthenticator) -> dict[str, Any]:
    """Add a passkey on `device`; return what the API answers."""
    made = device.create(options(client, ENROLL))
    answer = client.post(ENROLL, json={"name": "laptop", "passkey": made})
    assert answer.status_code == 201, answer.text
    return dict(answer.get_json())


def sign_in(service: Service, device: SoftAuthenticator) -> FlaskClient:
    """Return a client that signed in by the passkey alone."""
    client = service.client()
    given = device.get(options(client, SIGN_IN))
    answer = client.post(SIGN_IN, json={"passkey": given})
    assert answer.status_code == 200, answer.text
    return client
