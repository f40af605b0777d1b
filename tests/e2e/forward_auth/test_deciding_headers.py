#!/usr/bin/env python3
"""Random bytes as the client's part of each header that decides.

Sent to both servers directly, through nginx that appends to and that
replaces X-Forwarded-For, and through Caddy: the address that the session
stores and the session itself never depend on them.
"""

import json
import os
import re
import socket
from base64 import b64encode
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import NamedTuple

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from tests.e2e.forward_auth.deployment import (
    EMAIL,
    PASSWORD,
    start_gunicorn,
)
from tests.e2e.forward_auth.proxies import (
    APPLICATION,
    PROXIES,
    VESTIBULE,
    Proxy,
    is_open,
    shipped,
)
from tests.e2e.server.waiting import wait_until
from tests.e2e.server.wire import FORM, RawResponse, finish
from tests.ports import free_port
from tests.serving import (
    COOKIE,
    LOGIN,
    LOGOUT,
    ME,
    SESSIONS,
    Server,
)

#: An address that is no trusted proxy, unlike 127.0.0.1.
CLIENT = "127.0.0.2"
NAME = COOKIE.encode()
#: A replaced line and the one that appends what the client sent.
REPLACES = re.compile(r"X-Forwarded-For +\$remote_addr;")
APPENDS = "X-Forwarded-For $proxy_add_x_forwarded_for;"
#: Random examples of each way, and of the long run.
EXAMPLES, MANY_EXAMPLES = 12, int(os.environ.get("TORTURE_EXAMPLES", "3000"))
#: What a header line may contain (RFC 9110, section 5.5), and more.
BYTES = st.lists(
    st.one_of(
        st.sampled_from(
            [b"\xff", b"\xa0", b"\x85", b"\xc3\xa9", b",", b";", b"="]
        ),
        st.sampled_from([b"192.0.2.9", b"127.0.0.1", b" ", b"\t", b'"']),
        st.binary(min_size=1, max_size=3),
    ),
    max_size=8,
).map(lambda parts: b"".join(parts))
HEADERS = st.fixed_dictionaries(
    {},
    optional={
        name: BYTES.map(
            lambda text: text.translate(None, b"\r\n\0").strip(b" \t")
        )
        for name in (
            b"X-Forwarded-For",
            b"X-Forwarded-Proto",
            b"X-Forwarded-Host",
            b"X-Forwarded-Port",
            b"X-Forwarded-Prefix",
            b"X-Forwarded-Uri",
            b"X-Original-URL",
            b"Host",
            b"Authorization",
            b"Forwarded",
        )
    },
)
FOREIGN_COOKIE = BYTES.map(
    lambda text: b"a=" + text.translate(None, b"\r\n\0;") + b"x; "
)


class Way(NamedTuple):
    """A way from the client to a server."""

    name: str
    port: int
    #: Whether the server gets every byte of a cookie, or a clean one.
    keeps_cookies: bool


@contextmanager
def running_gunicorn(server: Server, folder: Path) -> Iterator[int]:
    """Run gunicorn with the settings of `server`; yield its port."""
    port = free_port()
    process = start_gunicorn(
        f"127.0.0.1:{port}", server.env, folder / "gunicorn.log"
    )
    try:
        assert wait_until(60, lambda: is_open(port))
        yield port
    finally:
        process.terminate()
        process.wait(30)


@pytest.fixture(scope="module")
def gunicorn(
    vestibule: Server, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[int]:
    """Run gunicorn on the database of `vestibule`; return its port."""
    folder = tmp_path_factory.mktemp("gunicorn")
    with running_gunicorn(vestibule, folder) as port:
        yield port


def proxy_before(port: int, name: str, folder: Path, appends: bool) -> Proxy:
    """Start a proxy with its shipped file in front of a server's port."""
    folder.mkdir()
    proxy = PROXIES[name](folder)
    text = shipped(proxy.file)
    if appends:
        text, number = REPLACES.subn(APPENDS, text)
        assert number == 3
    proxy.start(
        text,
        {
            VESTIBULE: f"127.0.0.1:{port}",
            APPLICATION: f"127.0.0.1:{free_port()}",
        },
    )
    return proxy


@pytest.fixture(scope="module")
def ways(
    vestibule: Server,
    gunicorn: int,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[list[Way]]:
    """Return every way to both servers."""
    folder = tmp_path_factory.mktemp("ways")
    found = []
    with ExitStack() as stack:
        for server, port in (
            ("granian", vestibule.port),
            ("gunicorn", gunicorn),
        ):
            found.append(Way(server, port, server == "gunicorn"))
            for name, appends in (
                ("nginx", False),
                ("nginx", True),
                ("caddy", False),
            ):
                kind = f"{name}{'-appends' * appends}-{server}"
                proxy = proxy_before(port, name, folder / kind, appends)
                stack.callback(proxy.stop)
                found.append(Way(kind, proxy.port, True))
        yield found


@pytest.fixture(scope="module")
def session(vestibule: Server) -> bytes:
    """Return the cookie of a session that stays open."""
    value = vestibule.login(EMAIL, PASSWORD)
    return f"{COOKIE}={value}".encode()


def send(
    way: Way,
    method: str,
    path: str,
    lines: Sequence[bytes],
    body: bytes = b"",
    host: Sequence[bytes] = (b"Host: 127.0.0.1",),
) -> RawResponse:
    """Send a request from `CLIENT`; return the response."""
    head = [f"{method} {path} HTTP/1.1".encode(), *host, *lines]
    head += [b"Connection: close", b"Content-Length: %d" % len(body)]
    with socket.create_connection(
        ("127.0.0.1", way.port), 30, (CLIENT, 0)
    ) as wire:
        wire.sendall(b"\r\n".join(head) + b"\r\n\r\n" + body)
        return finish(wire, method)


def log_in(
    way: Way, lines: list[bytes], host: bytes = b"127.0.0.1"
) -> RawResponse:
    """Log in with more header lines."""
    form = f"email={EMAIL}&password={PASSWORD}".encode()
    hosts = [b"Host: " + host]
    return send(way, "POST", LOGIN, [FORM, *lines], form, hosts)


def check_way(
    way: Way, session: bytes, headers: dict[bytes, bytes], foreign: bytes
) -> None:
    """Check one way with random headers and a foreign cookie."""
    lines = [
        name + b": " + value
        for name, value in headers.items()
        if name != b"Host"
    ]
    host = headers.get(b"Host", b"127.0.0.1")
    cookies = b"Cookie: " + foreign + session
    listed = send(
        way, "GET", SESSIONS, [cookies, *lines], host=[b"Host: " + host]
    )
    readable = foreign.isascii() or way.keeps_cookies
    # 400: the proxy or the server refuses the bytes as such. 421: nginx has
    # no such host; Caddy then answers with an empty body.
    refused = (400,) if b"Host" not in headers else (400, 421)
    allowed = (200, *refused) if readable else refused
    assert listed.status in allowed or listed.body == b"", way
    entered = log_in(way, lines, host)
    if entered.status not in refused and "set-cookie" in entered.headers:
        check_login(way, entered)
    elif entered.status not in refused:
        assert b"Host" in headers and entered.body == b"", (way, entered)


def check_login(way: Way, entered: RawResponse) -> None:
    """Check what the session and its cookie were made of; end it."""
    assert entered.status == 200, (way, entered)
    pair, *flags = entered.headers["set-cookie"].split("; ")
    assert pair.startswith(f"{COOKIE}="), (way, pair)
    assert "Path=/" in flags and "Secure" not in flags, (way, flags)
    cookie = [b"Cookie: " + pair.encode()]
    listed = send(way, "GET", SESSIONS, cookie)
    assert listed.status == 200, (way, listed)
    (own,) = [one for one in json.loads(listed.body) if one["current"]]
    assert own["ip"] == CLIENT, way
    send(way, "DELETE", LOGOUT, cookie)


@hypothesis_settings(
    max_examples=EXAMPLES,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(headers=HEADERS, foreign=FOREIGN_COOKIE)
def test_client_part_of_headers_decides_nothing(
    ways: list[Way],
    session: bytes,
    headers: dict[bytes, bytes],
    foreign: bytes,
) -> None:
    """Each way stores the client's address and keeps the session."""
    for way in ways:
        check_way(way, session, headers, foreign)


@pytest.mark.torture
@pytest.mark.timeout(7200)
@hypothesis_settings(
    max_examples=MANY_EXAMPLES,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(headers=HEADERS, foreign=FOREIGN_COOKIE)
def test_client_part_decides_nothing_in_many_examples(
    ways: list[Way],
    session: bytes,
    headers: dict[bytes, bytes],
    foreign: bytes,
) -> None:
    """The same, for a long time."""
    for way in ways:
        check_way(way, session, headers, foreign)


@pytest.mark.parametrize(
    "foreign", [b"a=\xa0; ", b"a=Jos\xc3\xa9; ", b"\xff=1; b=2; "]
)
def test_foreign_cookie_keeps_the_session(
    ways: list[Way], session: bytes, foreign: bytes
) -> None:
    """Only granian without a proxy loses the header, and says so."""
    for way in ways:
        for cookies in (foreign + session, session + b"; " + foreign[:-2]):
            answer = send(way, "GET", SESSIONS, [b"Cookie: " + cookies])
            if way.keeps_cookies:
                assert answer.status == 200, way
            else:
                assert answer.status == 400
                assert b"Cookie is empty" in answer.body


@pytest.mark.parametrize("line", [b"\xff", b"192.0.2.9, \xff", b"", b","])
def test_unreadable_address_is_refused_where_it_counts(
    ways: list[Way], line: bytes
) -> None:
    """Behind a proxy that appends to it: elsewhere it does not count."""
    for way in ways:
        answer = log_in(way, [b"X-Forwarded-For: " + line])
        counts = "appends" in way.name
        assert answer.status == (400 if counts else 200), (way, answer)


HOSTS = [
    ([], 400),
    ([b"Host:"], 400),
    ([b"Host: \xff"], 400),
    ([b"Host: a b"], 400),
    ([b"Host: a", b"Host: b"], 400),
    ([b"Host: a.example"], 200),
]


@pytest.mark.parametrize(("lines", "status"), HOSTS)
def test_both_servers_judge_host_alike(
    ways: list[Way], lines: list[bytes], status: int
) -> None:
    """HTTP/1.1 needs exactly one readable host."""
    for way in ways:
        if way.name in ("granian", "gunicorn"):
            answer = send(way, "GET", "/api/v1/status", [], host=lines)
            assert answer.status == status, way


#: `Cookie` lines, where `%b` is the session, and the statuses of granian and
#: gunicorn. gunicorn joins lines by commas, as the guide says: a session in
#: one of several is not recognized.
REPEATED_COOKIES = [
    ([b"%b; a=b"], 200, {200}),
    ([b"%b; " + NAME + b"=other"], 401, {401}),
    ([b"%b", b"a=b"], 200, {401, 403}),
    ([b"a=b", b"%b"], 200, {401, 403}),
    ([b"%b", b"%b"], 200, {401, 403}),
    ([b"%b", NAME + b"=other"], 401, {401, 403}),
    ([NAME + b"=other", b"%b"], 401, {401, 403}),
]


@pytest.mark.parametrize(
    ("lines", "by_granian", "by_gunicorn"), REPEATED_COOKIES
)
def test_repeated_cookies_have_one_outcome(
    ways: list[Way],
    session: bytes,
    lines: list[bytes],
    by_granian: int,
    by_gunicorn: set[int],
) -> None:
    """Two different sessions are none, in one line and in several."""
    cookies = [b"Cookie: " + line.replace(b"%b", session) for line in lines]
    expected = {"granian": {by_granian}, "gunicorn": by_gunicorn}
    for way in ways:
        if way.name in expected:
            answer = send(way, "GET", SESSIONS, cookies)
            assert answer.status in expected[way.name], way


def test_both_servers_judge_repeated_credentials_alike(
    with_basic: Server, tmp_path: Path
) -> None:
    """Two `Authorization` lines contradict each other, in any order."""
    right = b"Basic " + b64encode(f"{EMAIL}:{PASSWORD}".encode())
    with running_gunicorn(with_basic, tmp_path) as port:
        for way in (
            Way("granian", with_basic.port, False),
            Way("gunicorn", port, True),
        ):
            for values, status in (
                ([right], 200),
                ([right, right], 403),
                ([right, b"Basic eDp5"], 403),
                ([b"Test", right], 403),
                ([right, b""], 403),
            ):
                lines = [b"Authorization: " + value for value in values]
                answer = send(way, "GET", ME, lines)
                assert answer.status == status, (way, values)
