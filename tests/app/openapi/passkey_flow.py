#!/usr/bin/env python3
"""Each request about passkeys, as a user with a device sends them."""

from typing import Any

from flask.testing import FlaskClient

from tests.app.openapi.operation_client import OperationClient
from tests.e2e.server.accounts import account
from tests.soft_authenticator import EDDSA, SoftAuthenticator
from vestibule.accounts.passkeys import MAX_PASSKEYS


def use_passkeys(scene: OperationClient) -> None:
    """Enroll a passkey, sign in with it, and remove the password."""
    owner, device = account(), SoftAuthenticator()
    client = scene.service.client_with_session(owner.session_id)
    send, checker = scene.send, scene.checker

    def options(name: str, client: FlaskClient) -> Any:
        """Return the options of a ceremony."""
        return checker.send(client, name, {}).get_json()

    assert send("removePassword", client) == 400
    made = device.create(options("getNewPasskeyOptions", client))
    assert send("addPasskey", client) == 400
    body = {"name": "x", "passkey": made}
    assert send("addPasskey", client, json=body) == 201
    proof = device.get(options("getProofOptions", client))
    assert send("proveFactor", client, json={"passkey": proof}) == 200
    waiting = scene.service.client()
    assert send("logIn", waiting, owner) == 401
    given = device.get(options("getSecondFactorOptions", waiting))
    body = {"passkey": given}
    answer = checker.send(waiting, "giveSecondFactor", {}, json=body)
    assert answer.status_code == 200
    alone = scene.service.client()
    given = device.get(options("getPasskeyOptions", alone))
    assert send("signInWithPasskey", alone, json={"passkey": given}) == 200
    assert send("signInWithPasskey", alone) == 401
    assert send("getSecondFactorOptions", alone) == 401
    assert send("removePassword", alone) == 200
    for _ in range(MAX_PASSKEYS - 1):
        asked = options("getNewPasskeyOptions", alone)
        other = {
            "name": "x",
            "passkey": SoftAuthenticator(EDDSA).create(asked),
        }
        assert send("addPasskey", alone, json=other) == 201
    assert send("getNewPasskeyOptions", alone) == 400
    listed = checker.send(alone, "listFactors", {}).get_json()["factors"]
    for one in listed[1:]:
        place = {"factor_id": one["id"]}
        assert send("deleteFactor", alone, places=place) == 200
    listed = checker.send(alone, "listFactors", {}).get_json()["factors"]
    last = {"factor_id": listed[0]["id"]}
    assert send("deleteFactor", alone, places=last) == 409
