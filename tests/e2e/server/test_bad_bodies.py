#!/usr/bin/env python3
"""Malformed request bodies: each is refused and changes nothing."""

import json
import socket
from collections.abc import Callable, Iterable

import pytest

from tests.e2e.server.conftest import EMAIL, PASSWORD, SharedServers
from tests.e2e.server.wire import CHUNKED, FORM, JSON, RawResponse, ask, chunks

pytestmark = pytest.mark.usefixtures("untouched")

TWO_MB = b'{"email": "' + b"a" * 2_000_000 + b'"}'
#: A complete object within the limit, followed by spaces beyond it.
PADDED = b'{"first_name": "cut"}' + b" " * 2_000_000
LOGIN = b"/api/v1/auth_session/login"


def new_user_body(**fields: object) -> bytes:
    """Return a body that adds a user, changed by `fields`."""
    good = {"email": "new@hbtn.io", "password": "long enough"}
    return json.dumps(good | fields).encode()


def refused(answer: RawResponse, *statuses: int) -> str:
    """Check that the response is a JSON error; return its text."""
    assert answer.status in statuses, answer
    assert answer.headers["content-type"] == "application/json"
    assert b"Traceback" not in answer.body
    body = json.loads(answer.body)
    assert set(body) <= {"error", "field"}
    return str(body["error"])


def post(
    servers: SharedServers, body: bytes, headers: Iterable[bytes] = (JSON,)
) -> RawResponse:
    """Try to add a user with `body`."""
    return ask(
        servers.session.port,
        "POST",
        b"/api/v1/users",
        [servers.cookie, *headers],
        body,
    )


def put(
    servers: SharedServers, body: bytes, headers: Iterable[bytes] = (JSON,)
) -> RawResponse:
    """Try to name the user with `body`."""
    return ask(
        servers.session.port,
        "PUT",
        f"/api/v1/users/{servers.user_id}".encode(),
        [servers.cookie, *headers],
        body,
    )


def login(
    servers: SharedServers, body: bytes, headers: Iterable[bytes] = (FORM,)
) -> RawResponse:
    """Try to log in with `body`."""
    return ask(servers.session.port, "POST", LOGIN, headers, body)


@pytest.mark.parametrize("body", [TWO_MB, PADDED])
def test_body_over_limit_is_refused(
    servers: SharedServers, body: bytes
) -> None:
    """Its beginning is not used; without a length no body is read."""
    for send in (post, put):
        refused(send(servers, body), 413)
        refused(send(servers, chunks(body), [JSON, CHUNKED]), 411)


@pytest.mark.parametrize("size", [70_000, 600_000])
def test_login_form_over_64_kib_is_refused(
    servers: SharedServers, size: int
) -> None:
    """Without a length no form is read."""
    form = b"email=bob%40hbtn.io&password=" + b"x" * size
    refused(login(servers, form), 413)
    refused(login(servers, chunks(form), [FORM, CHUNKED]), 411)


WHOLE_CHUNKS = chunks(f"email={EMAIL}&password={PASSWORD}&x=y".encode(), 7)


@pytest.mark.parametrize(
    "coded",
    [
        WHOLE_CHUNKS,
        WHOLE_CHUNKS[:-5],
        WHOLE_CHUNKS[:-2],
        WHOLE_CHUNKS[:-9],
        WHOLE_CHUNKS[:-5] + b"zz\r\nabc\r\n0\r\n\r\n",
        WHOLE_CHUNKS[:-7] + b"XX0\r\n\r\n",
    ],
    ids=["whole", "no end", "half an end", "cut", "no size", "too long"],
)
@pytest.mark.parametrize("by", [login, post, put])
def test_body_in_chunks_needs_a_length(
    servers: SharedServers, coded: bytes, by: Callable[..., RawResponse]
) -> None:
    """Granian does not tell a body that was cut or broken from a whole one,
    so none is taken: the right password does not log in.
    """
    answer = by(servers, coded, [FORM if by is login else JSON, CHUNKED])
    assert refused(answer, 411) == "Length Required"
    assert "set-cookie" not in answer.headers


@pytest.mark.parametrize(
    ("method", "target", "kind"),
    [
        ("POST", b"/api/v1/users", JSON),
        ("POST", LOGIN, FORM),
        ("POST", LOGIN, b"Content-Type: multipart/form-data; boundary=B"),
    ],
)
def test_truncated_body_is_refused(
    servers: SharedServers, method: str, target: bytes, kind: bytes
) -> None:
    """A body that ends before its `Content-Length` is not used."""
    head = b"\r\n".join(
        [
            method.encode() + b" " + target + b" HTTP/1.1",
            b"Host: 127.0.0.1",
            servers.cookie,
            kind,
            b"Content-Length: 900",
        ]
    )
    with socket.create_connection(("127.0.0.1", servers.session.port)) as wire:
        wire.sendall(head + b"\r\n\r\n" + new_user_body())
        wire.shutdown(socket.SHUT_WR)
        wire.settimeout(20)
        said = wire.recv(65_536)
    assert not said or b" 400 " in said.partition(b"\r\n")[0], said
