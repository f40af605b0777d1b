#!/usr/bin/env python3
"""Malformed requests to verify, as a lenient proxy might forward them.

A request is refused or read as exactly one request; the bytes after it on the
same connection are the next request or are not read.
"""

import re
import socket
from collections.abc import Iterator

import pytest

from tests.e2e.forward_auth.deployment import EMAIL, PASSWORD
from tests.e2e.server.server_state import defect_lines
from tests.serving import COOKIE, Server

VERIFY = b"/api/v1/auth_session/verify"
#: The last request, after which the server closes the connection.
NEXT = (
    b"GET /api/v1/status HTTP/1.1\r\nHost: vestibule\r\n"
    b"Connection: close\r\n\r\n"
)
#: A request inside a body; it must never get a response.
HIDDEN = b"GET /api/v1/hidden HTTP/1.1\r\nHost: vestibule\r\n\r\n"
HIDDEN_CHUNK = b"%x\r\n%b\r\n0\r\n\r\n" % (len(HIDDEN), HIDDEN)
LENGTH = b"Content-Length: %d\r\n"
CHUNKED = b"Transfer-Encoding: chunked\r\n"

#: Header lines and body of requests that must be refused.
REFUSED = {
    "two lengths": (LENGTH % 0 + LENGTH % len(HIDDEN), HIDDEN),
    "two lengths, turned": (LENGTH % len(HIDDEN) + LENGTH % 0, HIDDEN),
    "a list of lengths": (b"Content-Length: 0, 5\r\n", b"hello"),
    "one length twice in a line": (b"Content-Length: 5, 5\r\n", b"hello"),
    "a length with a sign": (b"Content-Length: +5\r\n", b"hello"),
    "a negative length": (b"Content-Length: -1\r\n", b"hello"),
    "a length in hexadecimal": (b"Content-Length: 0x5\r\n", b"hello"),
    "a blank before the colon": (b"Content-Length : 5\r\n", b"hello"),
    "a folded line": (b"X: a\r\n b\r\n", b""),
    "a line folded by a tab": (b"X: a\r\n\tb\r\n", b""),
    "a folded coding": (b"Transfer-Encoding:\r\n chunked\r\n", HIDDEN_CHUNK),
    "a coding that ends otherwise": (
        b"Transfer-Encoding: chunked, identity\r\n",
        HIDDEN_CHUNK,
    ),
    "a coding of no such name": (
        b"Transfer-Encoding: xchunked\r\n",
        HIDDEN_CHUNK,
    ),
    "a line of 2 MB": (b"X: " + b"a" * 2_000_000 + b"\r\n", b""),
    "lines of 2 MB": (
        b"".join(
            b"X-%d: %b\r\n" % (number, b"a" * 20_000) for number in range(100)
        ),
        b"",
    ),
    "a name of 2 MB": (b"X" * 2_000_000 + b": a\r\n", b""),
    "20 000 lines": (
        b"".join(b"X-%d: a\r\n" % number for number in range(20_000)),
        b"",
    ),
    "20 000 cookies": (b"Cookie: a=b\r\n" * 20_000, b""),
    "a line without a name": (b": a\r\n", b""),
    "a line without a colon": (b"nothing\r\n", b""),
    "a bare CR": (b"X: a\rY: b\r\n", b""),
    "a NUL": (b"X: a\0b\r\n", b""),
}
#: Requests that may be refused or read as one request.
ONE_AT_MOST = {
    "one length twice": (LENGTH % len(HIDDEN) * 2, HIDDEN),
    "coding with length": (LENGTH % 5 + CHUNKED, HIDDEN_CHUNK),
    "length with coding": (CHUNKED + LENGTH % 5, HIDDEN_CHUNK),
    "coding with a long length": (
        CHUNKED + LENGTH % (5 + len(HIDDEN)),
        b"0\r\n\r\n",
    ),
    "two codings": (CHUNKED * 2, HIDDEN_CHUNK),
    "an empty coding": (
        b"Transfer-Encoding: \r\n" + LENGTH % len(HIDDEN),
        HIDDEN,
    ),
    "a bare LF after a header": (b"X: a\nY: b\r\n", b""),
    "a bare LF after a length": (
        b"Content-Length: %d\n" % len(HIDDEN),
        HIDDEN,
    ),
    "bare LFs after a coding": (b"Transfer-Encoding: chunked\n", HIDDEN_CHUNK),
    "two hosts": (b"Host: other\r\n", b""),
    "a body": (LENGTH % len(HIDDEN), HIDDEN),
    "a body in chunks": (CHUNKED, HIDDEN_CHUNK),
    "a long body": (LENGTH % 300_000, HIDDEN + b"x" * (300_000 - len(HIDDEN))),
    "a request to expect": (
        b"Expect: 100-continue\r\n" + LENGTH % 5,
        b"hello",
    ),
}


@pytest.fixture(scope="module")
def session_line(vestibule: Server) -> bytes:
    """Return the header line of an open session."""
    session = vestibule.login(EMAIL, PASSWORD)
    return f"Cookie: {COOKIE}={session}\r\n".encode()


@pytest.fixture(autouse=True)
def next_request_works(
    vestibule: Server, session_line: bytes
) -> Iterator[None]:
    """Fail the test if the server does not respond afterwards."""
    yield
    assert exchange(vestibule, with_next(session_line)) == [200, 200]
    assert exchange(vestibule, with_next(b"")) == [401, 200]
    assert defect_lines(vestibule) == []


def with_next(lines: bytes, body: bytes = b"") -> bytes:
    """Return a verify request with more lines, and the next request."""
    first = b"GET %b HTTP/1.1\r\nHost: vestibule\r\n" % VERIFY
    return first + lines + b"\r\n" + body + NEXT


def exchange(server: Server, sent: bytes) -> list[int]:
    """Send bytes; return the statuses of all responses until it closes."""
    received = b""
    with socket.create_connection(("127.0.0.1", server.port), 30) as wire:
        try:
            wire.sendall(sent)
            while part := wire.recv(65_536):
                received += part
        except ConnectionError:
            # The server refused and closed before all was sent.
            pass
    statuses = re.findall(rb"^HTTP/1\.1 (\d+) ", received, re.MULTILINE)
    return [int(status) for status in statuses if status != b"100"]


@pytest.mark.parametrize("sent", REFUSED.values(), ids=REFUSED)
def test_malformed_request_is_refused(
    vestibule: Server, session_line: bytes, sent: tuple[bytes, bytes]
) -> None:
    """The only response is an error although the session is open."""
    lines, body = sent
    for given in (session_line + lines, lines + session_line):
        assert exchange(vestibule, with_next(given, body)) in (
            [400],
            [431],
            [501],
            # A reset lost the response because more data arrived.
            *([[]] if len(given) > 100_000 else []),
        )


@pytest.mark.parametrize("sent", ONE_AT_MOST.values(), ids=ONE_AT_MOST)
def test_ambiguous_request_is_one_at_most(
    vestibule: Server, session_line: bytes, sent: tuple[bytes, bytes]
) -> None:
    """A request inside the body gets no response."""
    lines, body = sent
    for given, status in ((session_line, 200), (b"", 401)):
        for ordered in (given + lines, lines + given):
            assert exchange(vestibule, with_next(ordered, body)) in (
                [400],
                [status],
                [status, 200],
                # The one is refused by its headers, and has no body.
                [400, 200],
            )


def test_request_with_bare_lf_is_one_at_most(
    vestibule: Server, session_line: bytes
) -> None:
    """A request whose lines end with LF is one request at most."""
    sent = with_next(session_line).replace(b"\r\n", b"\n")
    assert exchange(vestibule, sent) in ([400], [200], [200, 200])


def test_hidden_request_would_be_counted(
    vestibule: Server, session_line: bytes
) -> None:
    """A hidden request that is read as one has its own response."""
    shorter = LENGTH % 0 + session_line
    assert exchange(vestibule, with_next(shorter, HIDDEN)) == [200, 401, 200]


@pytest.mark.parametrize(
    "line",
    [
        b"GET %b HTTP/1.1 \r\n",
        b"GET  %b HTTP/1.1\r\n",
        b"GET %b\r\n",
        b"GET %b HTTP/2.0\r\n",
        b"GET %b HTTP/1.10\r\n",
        b"GE\0T %b HTTP/1.1\r\n",
        b"GET %b\t HTTP/1.1\r\n",
        b"\x16\x03\x01%b",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n%b",
        b"GET %b\xff HTTP/1.1\r\n",
    ],
)
def test_malformed_request_line_is_refused(
    vestibule: Server, session_line: bytes, line: bytes
) -> None:
    """A malformed first line does not authenticate."""
    sent = line % VERIFY + b"Host: vestibule\r\n" + session_line + b"\r\n"
    statuses = exchange(vestibule, sent + NEXT)
    assert statuses == [] or statuses[0] >= 400
    assert len(statuses) <= 1
