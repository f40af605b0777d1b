#!/usr/bin/env python3
"""Invalid, slow and missing verify responses fail closed."""

import gzip
import os
from typing import Any

import orjson
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from tests.app.protect.fake_server import (
    GOOD,
    NAMING,
    Reply,
    ResetAfterFirstResponse,
    answer,
    cut,
    drip,
    endless,
    fake_server,
    hang,
    reset,
)
from vestibule.core.errors import InvalidValue, VestibuleUnavailable
from vestibule.http.verify import PATH
from vestibule.protect.backends import HTTPClient, backend_for
from vestibule.protect.verify_response import (
    Principal,
    VerifyResponse,
    parse_address,
    parse_principal,
)

BOB = Principal("1", "bob@example.com", "member", "Bob")
#: Bytes of space after it: a client that reads it all finds a user.
LONG = GOOD + b" " * 10_000_000

#: Invalid responses by description.
IMPOSTORS: dict[str, bytes | Reply] = {
    "noise": b"\x00\xffhello\r\n\r\n",
    "nothing": lambda wire: wire.close(),
    "a reset": reset,
    "a page": answer(b"<p>1</p>", *NAMING, kind=b"text/html"),
    "JSON that says it is a page": answer(GOOD, *NAMING, kind=b"text/html"),
    "half of JSON": answer(GOOD[:-1], *NAMING),
    "half of the body": cut,
    "no object": answer(b"[]", *NAMING),
    "no user id": answer(b"{}", *NAMING),
    "null": answer(b"null", *NAMING),
    "an empty id": answer(b'{"id": ""}', b"Remote-User: ", NAMING[1]),
    "a number for an id": answer(b'{"id": 1}', *NAMING),
    "a number for an email": answer(b'{"id": "1", "email": 1}', *NAMING),
    "no headers": answer(),
    "no role": answer(GOOD, NAMING[0]),
    "another user": answer(GOOD, b"Remote-User: 2", NAMING[1]),
    "a confirmation that is no answer": answer(
        GOOD, *NAMING, b"Remote-Email-Verified: yes"
    ),
    "two confirmations": answer(
        GOOD,
        *NAMING,
        b"Remote-Email-Verified: true",
        b"Remote-Email-Verified: false",
    ),
    "two users": answer(GOOD, *NAMING, b"Remote-User: 1"),
    "no content": answer(b"", *NAMING, status=b"204 No Content"),
    "a redirect": answer(GOOD, b"Location: /", *NAMING, status=b"302 Found"),
    "an error": answer(GOOD, *NAMING, status=b"500 Internal Server Error"),
    "another service": answer(GOOD, *NAMING, status=b"404 Not Found"),
    "ten megabytes": answer(LONG, *NAMING),
    "ten megabytes of no length": endless,
    "a long header": answer(GOOD, *NAMING, b"X: " + b"x" * 200_000),
    "a bomb": answer(gzip.compress(LONG), b"Content-Encoding: gzip", *NAMING),
    "compressed": answer(
        gzip.compress(GOOD), b"Content-Encoding: gzip", *NAMING
    ),
}
#: Responses that take longer than the timeout.
SLOW: dict[str, Reply] = {"silence": hang, "drops": drip}


@pytest.mark.parametrize("name", IMPOSTORS)
def test_invalid_verify_response_raises_error(
    name: str, open_backend: Any
) -> None:
    """The result is neither a user nor anonymous."""
    with (
        fake_server(IMPOSTORS[name]) as there,
        open_backend(there.url, timeout=30) as find_user,
    ):
        with pytest.raises(VestibuleUnavailable) as refused:
            find_user("sid=secret")
        assert "secret" not in str(refused.value)
        assert {lines[0] for lines in there.requests} == {
            f"GET {PATH}?redirect=off HTTP/1.1".encode()
        }


@pytest.mark.parametrize("name", SLOW)
def test_slow_verify_response_times_out(name: str, open_backend: Any) -> None:
    """The request ends after its time limit."""
    with (
        fake_server(SLOW[name]) as there,
        open_backend(there.url, timeout=0.5) as find_user,
        pytest.raises(VestibuleUnavailable),
    ):
        find_user("sid=1")


def test_refused_connection_raises_error(open_backend: Any) -> None:
    """No server listens on the port."""
    with fake_server(b"") as there:
        url = there.url
    with (
        open_backend(url, timeout=30) as find_user,
        pytest.raises(VestibuleUnavailable),
    ):
        find_user("sid=1")


def test_request_on_closed_connection_is_repeated(open_backend: Any) -> None:
    """The second attempt uses a new connection."""
    with (
        fake_server(ResetAfterFirstResponse()) as there,
        open_backend(there.url, timeout=30) as find_user,
    ):
        for _ in range(3):
            assert find_user("sid=1") == BOB
        assert len(there.requests) > 3


def test_forked_child_opens_its_own_connections(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """On a shared one, each would read the other's responses."""
    with fake_server(ResetAfterFirstResponse()) as there:
        wire = HTTPClient(parse_address(there.url, 30))
        wire.get("/", {})
        # The state of a child after a fork.
        monkeypatch.setattr(os, "getpid", lambda: -1)
        wire.get("/", {})
        assert len(there.requests) == 2
        wire.close()


def test_cookie_of_response_is_not_sent_again(open_backend: Any) -> None:
    """The client has no cookie jar."""
    good = answer(GOOD, *NAMING, b"Set-Cookie: sid=of-another; Path=/")
    with (
        fake_server(good) as there,
        open_backend(there.url, timeout=30) as find_user,
    ):
        for cookie in ("sid=1", "sid=2"):
            assert find_user(cookie) == BOB
        assert there.cookies() == [b"Cookie: sid=1", b"Cookie: sid=2"]


def test_url_may_have_path_prefix(open_backend: Any) -> None:
    """Vestibule may be served below a path."""
    with fake_server(answer(GOOD, *NAMING)) as there:
        with open_backend(f"{there.url}/hall/", timeout=30) as find_user:
            assert find_user("sid=1") == BOB
        assert there.requests[0][0].startswith(b"GET /hall/api/v1/auth_")


@pytest.mark.parametrize(
    ("headers", "told"),
    [
        ([b"Remote-Email-Verified: true"], True),
        ([b"Remote-Email-Verified: false"], False),
        ([], False),
    ],
)
def test_header_says_whether_the_email_is_confirmed(
    open_backend: Any, headers: list[bytes], told: bool
) -> None:
    """The response of an older Vestibule confirms nothing.

    The body is what the user may see, and decides nothing.
    """
    body = b'{"id": "1", "email_verified": true}'
    with (
        fake_server(answer(body, *NAMING, *headers)) as there,
        open_backend(there.url, timeout=30) as find_user,
    ):
        assert find_user("sid=1").email_verified is told


def test_percent_encoded_names_are_decoded() -> None:
    """Text in any alphabet is read as it was stored."""
    body = orjson.dumps({"id": "ü 1", "email": "ü@example.com"})
    headers = {
        "content-type": "application/json",
        "remote-user": "%C3%BC 1",
        "remote-groups": "%C3%BC",
    }
    assert parse_principal(VerifyResponse(200, headers, body)) == Principal(
        "ü 1", "ü@example.com", "ü"
    )
    assert parse_principal(VerifyResponse(401, {}, b"")) is None


HEADERS = st.dictionaries(
    st.sampled_from(["content-type", "remote-user", "remote-groups"]),
    st.one_of(
        st.sampled_from(["application/json", "1", "%", "%FF", ""]), st.text()
    ),
)
BODIES = st.one_of(
    st.binary(),
    st.dictionaries(
        st.sampled_from(["id", "email", "first_name", "last_name"]),
        st.sampled_from(["1", "", None, 1, [], {}, True]),
    ).map(orjson.dumps),
)


@settings(max_examples=60)
@given(
    status=st.sampled_from([200, 201, 401, 500]), headers=HEADERS, body=BODIES
)
@example(
    200,
    {
        "content-type": "application/json; charset=utf-8",
        "remote-user": "1",
        "remote-groups": "",
    },
    b'{"id": "1"}',
)
def test_any_verify_response_is_consistent_or_error(
    status: int, headers: dict[str, str], body: bytes
) -> None:
    """It names one user, or none, or it is an error."""
    try:
        found = parse_principal(VerifyResponse(status, headers, body))
    except VestibuleUnavailable:
        return
    if found is None:
        assert status == 401
        return
    assert status == 200
    assert found.id
    assert orjson.loads(body)["id"] == found.id


@pytest.mark.parametrize(
    "url",
    [
        "",
        "127.0.0.1:5000",
        "/api",
        "ftp://a.example",
        "http://",
        "http://me:secret@a.example",
        "http://a.example?secret",
        "http://a.example#secret",
        "http://a.example:port",
        "http://[",
        "http://a.example/ secret",
        "http://a.example/\r\nsecret",
        "http://ü/",
    ],
)
def test_invalid_url_is_refused_without_repeating_it(url: str) -> None:
    """The error does not contain the URL."""
    with pytest.raises(InvalidValue) as refused:
        backend_for(url, None, 3)
    assert "secret" not in str(refused.value)


@pytest.mark.parametrize("timeout", [0, -1, float("inf"), float("nan")])
def test_invalid_timeout_is_refused(timeout: float) -> None:
    """A timeout must be positive and finite."""
    with pytest.raises(InvalidValue, match="timeout"):
        backend_for("http://127.0.0.1:5000", None, timeout)
