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


def test_cookie_header_is_passed_on_whole() -> None:
    """Several cookie headers are joined."""
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
def test_invalid_header_is_refused_by_name(value: str) -> None:
    """The error does not repeat the value."""
    for presented in (of_wsgi, of_asgi):
        for name in (COOKIE, HEADER):
            with pytest.raises(InvalidValue, match=f"^{name} ") as refused:
                presented(name, value)
            assert value not in str(refused.value)


def test_header_that_is_not_latin1_is_refused() -> None:
    """Such text cannot come from a server."""
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
def test_hop_by_hop_header_is_ignored(connection: str) -> None:
    """`Connection` names it, so it was not meant for the application."""
    with pytest.raises(InvalidValue, match="Connection"):
        of_wsgi(COOKIE, "a=1", HTTP_CONNECTION=connection)
    with pytest.raises(InvalidValue, match="Connection"):
        of_asgi(COOKIE, "a=1", connection=connection)
    assert of_wsgi(HEADER, "a.b.c", HTTP_CONNECTION=connection) == "a.b.c"
    assert of_asgi(HEADER, "a.b.c", connection=connection) == "a.b.c"


def test_duplicate_identity_header_is_refused() -> None:
    """The application cannot know which one the proxy sent."""
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


def test_remote_headers_are_removed() -> None:
    """Headers like `Remote-User` do not reach the application."""
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


def test_cookie_is_sent_as_one_header(open_backend: Any) -> None:
    """No cookie becomes two headers, or none, on the way to Vestibule."""
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
