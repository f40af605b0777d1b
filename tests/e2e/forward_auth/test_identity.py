#!/usr/bin/env python3
"""What a gate carries beside the session: a signed identity, and TLS."""

from collections.abc import Iterator
from typing import Any

import jwt
import pytest

from tests.e2e.forward_auth.conftest import Guard
from tests.e2e.forward_auth.gate import (
    EMAIL,
    LOGIN,
    PAGE,
    PASSWORD,
    Gate,
    headers_of,
)
from tests.e2e.server.conftest import ADD_USER
from tests.e2e.server.wire import ask
from tests.serving import COOKIE, Server

HEADER = "x-vestibule-identity"


@pytest.fixture(scope="module")
def signing(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """Run a Vestibule that signs identities."""
    server = Server(
        tmp_path_factory.mktemp("signing"),
        AUTH_TYPE="session_db_auth",
        SESSION_NAME=COOKIE,
        TRUSTED_PROXIES="127.0.0.1",
        IDENTITY_HEADER="on",
    ).start()
    server.run(ADD_USER, EMAIL, PASSWORD)
    yield server
    assert server.stop() == 0


def claims_of(gate: Gate, token: str) -> dict[str, Any]:
    """Return what a token says, checked as an application does it."""
    published = gate.vestibule.request("GET", "/.well-known/jwks.json")
    keys = jwt.PyJWKSet.from_dict(published.json())
    key = keys[jwt.get_unverified_header(token)["kid"]]
    return jwt.decode(
        token,
        key,
        algorithms=["EdDSA"],
        audience=gate.proxy.url.partition("//")[2],
    )


def test_the_application_gets_the_signed_identity(
    guard: Guard, signing: Server
) -> None:
    """It is of this user and for this host, whatever a client sends."""
    gate = guard(signing)
    cookie = gate.sign_in()
    shown = gate.get("/page", PAGE, cookie).json()
    seen = headers_of(shown)
    claims = claims_of(gate, seen[HEADER])
    assert claims["sub"] == seen["remote-user"]
    assert claims["email"] == EMAIL
    other = gate.get(
        "/page",
        {
            **PAGE,
            "X-Vestibule-Identity": "forged.by.me",
            "X_Vestibule_Identity": "forged.by.me",
            "X-Forwarded-Host": "other.example",
        },
        cookie,
    ).json()
    assert claims_of(gate, headers_of(other)[HEADER])["email"] == EMAIL
    assert "forged.by.me" not in str(other)


def test_an_application_behind_tls(guard: Guard, signing: Server) -> None:
    """The cookie is kept to TLS, and the application knows of it."""
    gate = guard(signing, tls=True)
    trust = str(gate.proxy.folder / "certificate.pem")
    assert gate.proxy.url.startswith("https://")
    entered = gate.request(
        "POST",
        LOGIN,
        verify=trust,
        data={"email": EMAIL, "password": PASSWORD},
        headers={"Origin": gate.proxy.url, "X-Forwarded-Proto": "http"},
    )
    assert entered.status_code == 200
    assert "; Secure" in entered.headers["Set-Cookie"]
    assert "Strict-Transport-Security" in entered.headers
    shown = gate.request(
        "GET",
        "/page",
        entered.cookies[COOKIE],
        verify=trust,
        headers={**PAGE, "X-Forwarded-Proto": "http"},
    )
    seen = headers_of(shown.json())
    assert seen["x-forwarded-proto"] == "https"
    assert claims_of(gate, seen[HEADER])["sub"] == seen["remote-user"]
    refused = gate.request("GET", "/page", verify=trust, headers=PAGE)
    assert refused.headers["Location"] == "/sign-in?return_to=/page"


def test_without_tls_nobody_claims_it(gate: Gate) -> None:
    """A client's own word does not make its cookie a secure one."""
    form = b"email=%b&password=%b" % (EMAIL.encode(), PASSWORD.encode())
    answer = ask(
        gate.proxy.port,
        "POST",
        LOGIN.encode(),
        [
            b"X-Forwarded-Proto: https",
            b"X_Forwarded_Proto: https",
            b"Content-Type: application/x-www-form-urlencoded",
        ],
        form,
    )
    assert answer.status == 200
    assert "Secure" not in answer.headers["set-cookie"]
