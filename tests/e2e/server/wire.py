#!/usr/bin/env python3
"""HTTP as bytes on a socket, for requests that no HTTP library sends."""

import socket
from collections.abc import Iterable
from dataclasses import dataclass
from http.client import HTTPResponse

FORM = b"Content-Type: application/x-www-form-urlencoded"
JSON = b"Content-Type: application/json"
CHUNKED = b"Transfer-Encoding: chunked"


@dataclass(frozen=True)
class RawResponse:
    """A response: status, headers (names in lower case), whole body."""

    status: int
    headers: dict[str, str]
    body: bytes


def begin(
    port: int,
    method: str,
    target: bytes,
    headers: Iterable[bytes] = (),
    body: bytes = b"",
) -> socket.socket:
    """Send a request; `Content-Length` is added unless `headers` say more.

    The server may respond and close before it has read everything, so a
    failure to send is not yet an error.
    """
    lines = [
        method.encode() + b" " + target + b" HTTP/1.1",
        b"Host: 127.0.0.1",
        b"Connection: close",
        *headers,
    ]
    framing = (b"Content-Length:", CHUNKED)
    if not any(line.startswith(framing) for line in lines) and (
        body or method in ("POST", "PUT")
    ):
        lines.append(b"Content-Length: %d" % len(body))
    wire = socket.create_connection(("127.0.0.1", port), timeout=60)
    try:
        wire.sendall(b"\r\n".join(lines) + b"\r\n\r\n" + body)
    except OSError:
        pass
    return wire


def finish(wire: socket.socket, method: str) -> RawResponse:
    """Read the response to a request that `begin` sent."""
    response = HTTPResponse(wire, method=method)
    response.begin()
    headers = {name.lower(): text for name, text in response.getheaders()}
    return RawResponse(response.status, headers, response.read())


def ask(
    port: int,
    method: str,
    target: bytes,
    headers: Iterable[bytes] = (),
    body: bytes = b"",
) -> RawResponse:
    """Send a request and return its response."""
    with begin(port, method, target, headers, body) as wire:
        return finish(wire, method)


def chunks(body: bytes, size: int = 65_536) -> bytes:
    """Return `body` in the chunked transfer coding (RFC 9112, section 7.1)."""
    parts = [body[at:][:size] for at in range(0, len(body), size)]
    coded = b"".join(b"%x\r\n%b\r\n" % (len(part), part) for part in parts)
    return coded + b"0\r\n\r\n"
