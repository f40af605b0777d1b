#!/usr/bin/env python3
"""The files for several nodes: forged headers, verify, other hosts.

`tests/e2e/torture/test_restarts.py` restarts the nodes behind them.
"""

from collections.abc import Iterator

import pytest

from tests.e2e.forward_auth.deployment import (
    EMAIL,
    PASSWORD,
    Deployment,
)
from tests.e2e.forward_auth.proxies import PROXIES, VESTIBULE, shipped
from tests.e2e.forward_auth.test_forged_headers import SIGNS
from tests.e2e.forward_auth.test_recipes import CLIENT_HEADERS, ask_host
from tests.e2e.server.wire import ask
from tests.serving import COOKIE, LOGIN, ME, SESSIONS, VERIFY, Server

#: The address of the second node in both files.
SECOND_NODE = "127.0.0.1:5001"
#: Headers with which a client would change what Vestibule takes it for.
FORGED = CLIENT_HEADERS | {
    "X-Forwarded-Prefix": "/evil",
    "X-Forwarded-Uri": "/evil",
    "X-Original-URL": "https://evil.example/",
    "Remote-User": "boss",
}


def nodes_file(name: str) -> str:
    """Return the text of the file for several nodes of a proxy."""
    proxy = PROXIES[name]
    return shipped(f"nodes.{proxy.file}")


@pytest.fixture(scope="module")
def nodes(
    name: str, vestibule: Server, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Deployment]:
    """Run the file as shipped; both addresses lead to one server."""
    proxy = PROXIES[name](tmp_path_factory.mktemp(f"nodes-{name}"))
    node = f"127.0.0.1:{vestibule.port}"
    proxy.start(nodes_file(name), {VESTIBULE: node, SECOND_NODE: node})
    yield Deployment(proxy, vestibule)
    proxy.stop()


def test_nodes_file_keeps_client_headers_out(nodes: Deployment) -> None:
    """In no spelling do they change the address, the scheme or a path."""
    for sign in SIGNS:
        forged = {
            written.replace("-", sign): value
            for name, value in FORGED.items()
            for written in (name, name.lower())
        }
        session = nodes.sign_in("127.0.0.2", **forged)
        (own,) = [
            one
            for one in nodes.request("GET", SESSIONS, session).json()
            if one["current"]
        ]
        assert own["ip"] == "127.0.0.2", sign


def test_nodes_file_keeps_the_cookie_of_the_real_scheme(
    nodes: Deployment,
) -> None:
    """By plain HTTP the cookie is not Secure, whatever a client claims."""
    answer = nodes.request(
        "POST",
        LOGIN,
        headers=FORGED | {"Origin": nodes.proxy.url},
        data={"email": EMAIL, "password": PASSWORD},
    )
    parts = answer.headers["Set-Cookie"].split("; ")
    assert "Secure" not in parts
    assert "Path=/" in parts


def test_nodes_file_keeps_the_session_beside_a_foreign_cookie(
    nodes: Deployment,
) -> None:
    """A cookie outside of ASCII reaches no server that cannot read it."""
    session = nodes.sign_in()
    for line in (
        f"a=Jos\xe9; {COOKIE}={session}; b=\xff",
        f"{COOKIE}={session}; b=\xa0",
    ):
        cookie = f"Cookie: {line}".encode("latin-1")
        assert (
            ask(nodes.proxy.port, "GET", ME.encode(), [cookie]).status == 200
        )


@pytest.mark.parametrize(
    "path",
    [VERIFY, f"{VERIFY}/", f"{VERIFY}?a=b", "/api/v1/auth_session/%76erify"],
)
def test_nodes_file_refuses_verify_from_outside(
    nodes: Deployment, path: str
) -> None:
    """Only proxies inside the network ask the nodes about identities."""
    session = f"Cookie: {COOKIE}={nodes.sign_in()}".encode()
    answer = ask(nodes.proxy.port, "GET", path.encode(), [session])
    assert answer.status == 404
    assert not {"remote-user", "x-vestibule-identity"} & set(answer.headers)


def test_nodes_file_refuses_other_hosts(nodes: Deployment) -> None:
    """No request arrives for a host that a client names."""
    for host in (b"payroll.example.com", b"127.0.0.2", b"evil.127.0.0.1"):
        answer = ask_host(nodes.proxy.port, host, b"X-A: b", b"/api/v1/status")
        assert b'"status"' not in answer, (host, answer)
    own = ask_host(
        nodes.proxy.port, b"127.0.0.1", b"X-A: b", b"/api/v1/status"
    )
    assert b'"status"' in own
