#!/usr/bin/env python3
"""Passkeys for several origins, which browsers find by a list."""

from tests.app.api.conftest import Build
from tests.app.api.passkey_owner import SIGN_IN, enroll, options, sign_in
from tests.app.api.service import stored_user
from tests.soft_authenticator import SoftAuthenticator


def test_related_origins_are_listed(build: Build) -> None:
    """Browsers read them without credentials; unset, there is no list."""
    path = "/.well-known/webauthn"
    service = build("session_db_auth", PUBLIC_URL="http://localhost")
    assert service.client().get(path).status_code == 404
    origins = ["https://a.example", "https://b.example:8443"]
    listed = build("session_db_auth", PASSKEY_ORIGINS=",".join(origins))
    answer = listed.client().get(path)
    assert answer.get_json() == {"origins": origins}
    assert answer.content_type.startswith("application/json")


def test_page_of_a_related_origin_may_use_passkeys(build: Build) -> None:
    """Each origin is exact: one beside it is refused."""
    service = build(
        "session_db_auth",
        PASSKEY_RP_ID="localhost",
        PASSKEY_ORIGINS="http://localhost,https://a.example",
    )
    device = SoftAuthenticator(origin="https://a.example")
    enroll(service.client_for(stored_user()), device)
    sign_in(service, device)
    for origin in ("https://b.a.example", "https://a.example:444"):
        device.origin = origin
        client = service.client()
        given = device.get(options(client, SIGN_IN))
        answer = client.post(SIGN_IN, json={"passkey": given})
        assert answer.status_code == 401, origin
