#!/usr/bin/env python3
"""What a request presents, and what is refused before anybody is asked."""

from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from tests.app.protect.fake_server import GOOD, NAMING, answer, fake_server
from vestibule.core.errors import InvalidValue
from vestibule.identity.header import HEADER
from vestibule.protect.request_headers import (
    COOKIE,
    MAX_HEADER_LENGTH,
    from_environ,
    from_scope,
    strip_identity_headers,
    without_identity_headers,
)


def of_wsgi(name: str, value: str, **more: str) -> str | None:
    """Return what a WSGI request with this header presents."""
    key = "HTTP_" + name.upper().replace("-", "_")
    return from_environ({key: value, **more}, name)


def of_asgi(name: str, *values: str, connection: str = "") -> str | None:
    """Return what an ASGI request with this header presents."""
    pairs = [(name, value) for value in values]
    if connection:
        pairs.append(("connection", connection))
    headers = [
        (key.lower().encode(), value.encode("latin-1")) for key, value in pairs
    ]
    return from_scope({"headers": headers}, name)


def test_a_cookie_as_it_comes() -> None:
    """It is handed on whole; its pieces are put together."""
    assert of_wsgi(COOKIE, "a=1; b=\xfc") == "a=1; b=\xfc"
    assert of_asgi(COOKIE, "a=1; b=\xfc") == "a=1; b=\xfc"
    assert of_asgi(COOKIE, "a=1", "b=2") == "a=1; b=2"
    for nothing in ({}, {"HTTP_COOKIE": ""}):
        assert from_environ(nothing, COOKIE) is None
    assert from_scope({"headers": []}, COOKIE) is None
    assert of_asgi(COOKIE, "", "") is None


@pytest.mark.parametrize(
    "value",
    [
        "a" * (MAX_HEADER_LENGTH + 1),
        "a=1\r\nRemote-User: ada",
        "a=1\r\n folded",
        "a=\n",
        "a=\r",
        "a=\0",
        "a=\x7f",
        "a=\x1b",
    ],
)
def test_what_no_honest_client_sends(value: str) -> None:
    """It is refused, by the name of the header and without its value."""
    for presented in (of_wsgi, of_asgi):
        for name in (COOKIE, HEADER):
            with pytest.raises(InvalidValue, match=f"^{name} ") as refused:
                presented(name, value)
            assert value not in str(refused.value)


def test_what_no_server_gives() -> None:
    """Text that is no bytes of a header is refused too."""
    with pytest.raises(InvalidValue):
        of_wsgi(COOKIE, "a=\u2028")


@pytest.mark.parametrize(
    "connection",
    [
        "cookie",
        "keep-alive, Cookie",
        "Cookie ,close",
        "COOKIE",
    ],
)
def test_what_was_for_another_hop(connection: str) -> None:
    """A header that `Connection` names was not for an application."""
    with pytest.raises(InvalidValue, match="Connection"):
        of_wsgi(COOKIE, "a=1", HTTP_CONNECTION=connection)
    with pytest.raises(InvalidValue, match="Connection"):
        of_asgi(COOKIE, "a=1", connection=connection)
    assert of_wsgi(HEADER, "a.b.c", HTTP_CONNECTION=connection) == "a.b.c"
    assert of_asgi(HEADER, "a.b.c", connection=connection) == "a.b.c"


def test_an_identity_that_comes_twice() -> None:
    """Which of them the gate sent nobody can tell."""
    for values in (("a.b.c", "a.b.c"), ("", "a.b.c")):
        with pytest.raises(InvalidValue, match="twice"):
            of_asgi(HEADER, *values)
    for value in ("a.b.c,a.b.c", "a.b.c, "):
        with pytest.raises(InvalidValue, match="twice"):
            of_wsgi(HEADER, value)


NAMED = [
    "Remote-User",
    "remote_user",
    "Remote-Groups",
    "REMOTE-EMAIL",
    "X-Remote-User",
    "X-Forwarded-User",
    "X_Forwarded_Email",
    "X-Forwarded-Groups",
    "X-Auth-Request-User",
]
HARMLESS = ["Cookie", "Host", "X-Forwarded-For", "X-Vestibule-Identity"]


def test_nobody_is_named_by_a_header() -> None:
    """Headers by which gates name people do not get to an application."""
    environ: dict[str, Any] = {
        "HTTP_" + name.upper().replace("-", "_"): "ada"
        for name in NAMED + HARMLESS
    } | {"REMOTE_ADDR": "127.0.0.1", "REMOTE_USER": "of the server"}
    strip_identity_headers(environ)
    assert sorted(environ) == sorted(
        [
            *("HTTP_" + name.upper().replace("-", "_") for name in HARMLESS),
            "REMOTE_ADDR",
            "REMOTE_USER",
        ]
    )
    kept = without_identity_headers(
        [(name.encode(), b"ada") for name in NAMED + HARMLESS]
    )
    assert kept == [(name.encode(), b"ada") for name in HARMLESS]


def test_it_goes_out_as_one_line(open_backend: Any) -> None:
    """No cookie becomes two headers, or none, on its open_backend to Vestibule."""
    with (
        fake_server(answer(GOOD, *NAMING)) as there,
        open_backend(there.url, timeout=30) as ask,
    ):

        @settings(max_examples=60, deadline=None)
        @given(st.text(st.characters(max_codepoint=0x2FF), max_size=60))
        @example("a=\xff; sid=1")
        @example("a=1\r\nRemote-User: ada")
        def sent(value: str) -> None:
            """Send what is not refused, and see what arrives."""
            try:
                presented = of_wsgi(COOKIE, value)
            except InvalidValue:
                return
            if presented is None:
                return
            there.requests.clear()
            assert ask(presented) is not None
            (arrived,) = there.cookies()
            wanted = value.encode("ascii", "replace").strip(b" \t")
            assert arrived.partition(b":")[2].strip(b" \t") == wanted

        sent()
