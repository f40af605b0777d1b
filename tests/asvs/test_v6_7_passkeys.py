#!/usr/bin/env python3
"""ASVS 6.5.6, 6.5.7 and 6.7, of level 3: passkeys and their keys."""

import base64
from dataclasses import replace

import pytest

from tests.app.api.conftest import Build
from tests.app.api.factor_owner import FACTORS, Owner, signed_in
from tests.app.api.passkey_owner import SIGN_IN, enroll, options
from tests.app.api.service import Service, stored_user
from tests.clocks import SetClock
from tests.soft_authenticator import EDDSA, UV, SoftAuthenticator
from vestibule.accounts.second_factors import check_second_factor
from vestibule.core.crypto import new_key
from vestibule.core.errors import WrongSecondFactor
from vestibule.db import passkeys


@pytest.fixture
def service(
    build: Build, monkeypatch: pytest.MonkeyPatch, set_clock: SetClock
) -> Service:
    """Return a service with apps and passkeys; the clock stands still."""
    monkeypatch.setenv("SECRETS_KEY", new_key())
    return build("session_db_auth", PUBLIC_URL="http://localhost")


def test_v6_5_6_removed_factors_open_nothing(
    service: Service, owner: Owner, set_clock: SetClock
) -> None:
    """The code of a removed app is refused, as is a removed passkey."""
    client = signed_in(service, owner)
    device = SoftAuthenticator()
    key = enroll(client, device)["id"]
    given = {"passkey": device.get(options(service.client(), SIGN_IN))}
    for factor in (owner.app_id, key):
        set_clock.advance(60)
        assert client.delete(f"{FACTORS}/{factor}").status_code == 200
        with pytest.raises(WrongSecondFactor):
            check_second_factor(owner.user, owner.code())
    answer = service.client().post(SIGN_IN, json=given)
    assert answer.status_code == 401


def test_v6_5_7_biometrics_alone_are_never_a_factor(
    service: Service, owner: Owner
) -> None:
    """The device checks them and signs; the flag alone is no proof."""
    device = SoftAuthenticator()
    enroll(signed_in(service, owner), device)
    client = service.client()
    given = device.get(options(client, SIGN_IN))
    thief = SoftAuthenticator(
        credential_id=device.credential_id, handle=device.handle
    )
    assert thief.flags & UV
    forged = thief.get(options(client, SIGN_IN))
    answer = client.post(SIGN_IN, json={"passkey": forged})
    assert answer.status_code == 401
    assert client.post(SIGN_IN, json={"passkey": given}).status_code == 200


def test_v6_7_1_stored_key_is_written_once(
    service: Service, owner: Owner
) -> None:
    """Uses change the counter alone, and an id is never stored again."""
    client, device = signed_in(service, owner), SoftAuthenticator()
    enroll(client, device)
    (before,) = passkeys.of_user(owner.user.id)
    for _ in range(3):
        given = device.get(options(service.client(), SIGN_IN))
        answer = service.client().post(SIGN_IN, json={"passkey": given})
        assert answer.status_code == 200
    other = SoftAuthenticator(EDDSA, credential_id=device.credential_id)
    for asking in (client, service.client_for(stored_user())):
        made = other.create(options(asking, f"{FACTORS}/passkey"))
        body = {"name": "other", "passkey": made}
        answer = asking.post(f"{FACTORS}/passkey", json=body)
        assert answer.status_code == 400
    (after,) = passkeys.of_user(owner.user.id)
    assert after == replace(before, sign_count=device.count)


def test_v6_7_2_challenges_are_long_and_unique(service: Service) -> None:
    """They have 256 bits of the system's source, and work once."""
    client = service.client()
    found = {options(client, SIGN_IN)["challenge"] for _ in range(50)}
    assert len(found) == 50
    for challenge in found:
        assert 8 * len(base64.urlsafe_b64decode(challenge + "=")) == 256
    device = SoftAuthenticator()
    enroll(service.client_for(stored_user()), device)
    given = {"passkey": device.get(options(client, SIGN_IN))}
    statuses = [client.post(SIGN_IN, json=given).status_code for _ in "12"]
    assert statuses == [200, 401]
