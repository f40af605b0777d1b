#!/usr/bin/env python3
"""Signed identities and TLS through a proxy."""

from collections.abc import Iterator
from typing import Any

import jwt
import pytest

from tests.e2e.forward_auth.conftest import Deploy, trusting
from tests.e2e.forward_auth.deployment import (
    EMAIL,
    PAGE,
    PASSWORD,
    Deployment,
    headers_of,
)
from tests.e2e.forward_auth.proxies import Nginx
from tests.e2e.forward_auth.upstream import MARK
from tests.e2e.server.wire import ask
from tests.serving import COOKIE, LOGIN, Server

HEADER = "x-vestibule-identity"


@pytest.fixture(scope="module")
def signing(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """Run a Vestibule that signs identities."""
    folder = tmp_path_factory.mktemp("signing")
    with trusting(
        folder, IDENTITY_HEADER="on", IDENTITY_HOSTS="127.0.0.1:*"
    ) as server:
        yield server


def claims_of(deployment: Deployment, token: str) -> dict[str, Any]:
    """Return the verified claims of a token, as an application does."""
    published = deployment.vestibule.request("GET", "/.well-known/jwks.json")
    keys = jwt.PyJWKSet.from_dict(published.json())
    key = keys[jwt.get_unverified_header(token)["kid"]]
    return jwt.decode(
        token,
        key,
        algorithms=["EdDSA"],
        audience=deployment.proxy.url.partition("//")[2],
    )


def test_application_gets_signed_identity(
    deploy: Deploy, signing: Server
) -> None:
    """The token is for this user and this host, whatever a client sends."""
    deployment = deploy(signing)
    cookie = deployment.sign_in()
    shown = deployment.get("/page", PAGE, cookie).json()
    seen = headers_of(shown)
    claims = claims_of(deployment, seen[HEADER])
    assert claims["sub"] == seen["remote-user"]
    assert claims["email"] == EMAIL
    forged = {
        **PAGE,
        "X_Vestibule_Identity": "forged.by.me",
        "X-Forwarded-Host": "other.example",
    }
    if isinstance(deployment.proxy, Nginx):
        # nginx refuses the header itself.
        refused = deployment.get("/page", {**forged, HEADER: "a.b.c"}, cookie)
        assert refused.status_code == 400
        assert MARK not in refused.text
    else:
        forged[HEADER] = "forged.by.me"
    other = deployment.get("/page", forged, cookie).json()
    assert claims_of(deployment, headers_of(other)[HEADER])["email"] == EMAIL
    assert "forged.by.me" not in str(other)


def test_tls_makes_cookie_secure(deploy: Deploy, signing: Server) -> None:
    """The cookie is `Secure`, and the application sees `https`."""
    deployment = deploy(signing, tls=True)
    trust = str(deployment.proxy.folder / "certificate.pem")
    assert deployment.proxy.url.startswith("https://")
    entered = deployment.request(
        "POST",
        LOGIN,
        verify=trust,
        data={"email": EMAIL, "password": PASSWORD},
        headers={"Origin": deployment.proxy.url, "X-Forwarded-Proto": "http"},
    )
    assert entered.status_code == 200
    assert "; Secure" in entered.headers["Set-Cookie"]
    assert "Strict-Transport-Security" in entered.headers
    shown = deployment.request(
        "GET",
        "/page",
        entered.cookies[COOKIE],
        verify=trust,
        headers={**PAGE, "X-Forwarded-Proto": "http"},
    )
    seen = headers_of(shown.json())
    assert seen["x-forwarded-proto"] == "https"
    assert claims_of(deployment, seen[HEADER])["sub"] == seen["remote-user"]
    refused = deployment.request("GET", "/page", verify=trust, headers=PAGE)
    assert refused.headers["Location"] == "/sign-in?return_to=/page"


def test_client_cannot_claim_tls(deployment: Deployment) -> None:
    """A forged `X-Forwarded-Proto` does not make the cookie `Secure`."""
    form = b"email=%b&password=%b" % (EMAIL.encode(), PASSWORD.encode())
    answer = ask(
        deployment.proxy.port,
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
