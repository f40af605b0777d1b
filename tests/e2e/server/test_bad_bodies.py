#!/usr/bin/env python3
"""Malformed request bodies: each is refused and changes nothing."""

import json
import socket
from collections.abc import Callable, Iterable

import pytest

from tests.e2e.server.conftest import EMAIL, PASSWORD, SharedServers
from tests.e2e.server.wire import CHUNKED, FORM, JSON, RawResponse, ask, chunks

pytestmark = pytest.mark.usefixtures("untouched")

DEEP = 100_000
TWO_MB = b'{"email": "' + b"a" * 2_000_000 + b'"}'
#: A complete object within the limit, followed by spaces beyond it.
PADDED = b'{"first_name": "cut"}' + b" " * 2_000_000
LOGIN = b"/api/v1/auth_session/login"


def new_user_body(**fields: object) -> bytes:
    """Return a body that adds a user, changed by `fields`."""
    good = {"email": "new@hbtn.io", "password": "long enough"}
    return json.dumps(good | fields).encode()


NO_OBJECTS = {
    "a list": b"[]",
    "a list of an object": b"[%b]" % new_user_body(),
    "a number": b"1",
    "a long number": b"1" * 10_000,
    "a number that is none": b"NaN",
    "a string": b'"email"',
    "null": b"null",
    "nothing": b"",
    "lists in lists": b"[" * DEEP + b"]" * DEEP,
    "lists that do not end": b"[" * DEEP,
    "objects in objects": b'{"a":' * DEEP + b"1" + b"}" * DEEP,
    "an object that is deep inside": b'{"email":'
    + b"[" * DEEP
    + b"]" * DEEP
    + b"}",
    "an object that does not end": new_user_body()[:-1],
    "half a string": b'{"email": "new@hb',
    "two objects": new_user_body() * 2,
    "a doubled key": b'{"first_name": "a", "first_name": "b", '
    + new_user_body()[1:],
    "UTF-16": new_user_body().decode().encode("utf-16"),
    "UTF-32": new_user_body().decode().encode("utf-32"),
    "Latin-1": b'{"first_name": "\xe9", ' + new_user_body()[1:],
    "overlong UTF-8": b'{"first_name": "\xc0\xaf", ' + new_user_body()[1:],
    "a raw NUL": b'{"first_name": "\0", ' + new_user_body()[1:],
    "a form": b"email=new%40hbtn.io&password=long+enough",
}

NO_USERS = {
    "an email that is a number": new_user_body(email=1),
    "an email that is a truth": new_user_body(email=True),
    "an email that is a list": new_user_body(email=[]),
    "an email that is an object": new_user_body(email={"$ne": ""}),
    "an email without @": new_user_body(email="new.hbtn.io"),
    "an email without a host": new_user_body(email="new@"),
    "an email of blanks": new_user_body(email="   "),
    "an email of 255 characters": new_user_body(email="n" * 248 + "@a.io.x"),
    "an email of 300 characters": new_user_body(email="n" * 294 + "@ab.io"),
    "an email of a megabyte": new_user_body(email="n" * 1_000_000 + "@a.io"),
    "an email with a line end": new_user_body(email="new\r\n@hbtn.io"),
    "an email with a bell": new_user_body(email="n\x07ew@hbtn.io"),
    "an email with an escape": new_user_body(email="new@hbtn.io\x1b[2J"),
    "an email with NUL": new_user_body(email="new\0@hbtn.io"),
    "an email with a lone surrogate": new_user_body(email="n\ud800@hbtn.io"),
    "an email that is taken": new_user_body(email=f" {EMAIL.upper()} "),
    "a password that is a number": new_user_body(password=12345678),
    "a password that is a list": new_user_body(password=["long enough"]),
    "a password with a lone surrogate": new_user_body(password="\udfff" * 9),
    "a short password": new_user_body(password="1234567"),
    "a name that is a number": new_user_body(first_name=1),
    "a name that is endless": new_user_body(last_name=float("inf")),
    "a name with NUL": new_user_body(first_name="\0"),
    "a name with a lone surrogate": new_user_body(last_name="\ud800"),
}

NO_NAMES = {
    "a number": b'{"first_name": 1}',
    "a list": b'{"last_name": []}',
    "an object": b'{"last_name": {"first_name": "a"}}',
    "a truth": b'{"first_name": false}',
    "NUL": b'{"first_name": "\\u0000"}',
    "a lone surrogate": b'{"first_name": "\\udc00"}',
    "one good and one bad": b'{"first_name": "a", "last_name": 1}',
}

NO_JSON_TYPES = [
    (),
    (FORM,),
    (b"Content-Type: text/plain",),
    (b"Content-Type: ",),
    (b"Content-Type: application/json\xff",),
    (b"Content-Type: application/jsonp",),
    (b"Content-Type: multipart/form-data",),
]


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


@pytest.mark.parametrize("body", NO_OBJECTS.values(), ids=NO_OBJECTS.keys())
def test_body_that_is_no_json_object_is_refused(
    servers: SharedServers, body: bytes
) -> None:
    """A body that is not one JSON object has the wrong format."""
    assert refused(post(servers, body), 400) == "Wrong format"
    assert refused(put(servers, body), 400) == "Wrong format"


@pytest.mark.parametrize("body", NO_USERS.values(), ids=NO_USERS.keys())
def test_invalid_user_is_not_stored(
    servers: SharedServers, body: bytes
) -> None:
    """The error names the invalid field."""
    assert refused(post(servers, body), 400).startswith("Can't create User: ")


@pytest.mark.parametrize("field", ["email", "password"])
@pytest.mark.parametrize("value", ["", None])
def test_empty_field_counts_as_missing(
    servers: SharedServers, field: str, value: str | None
) -> None:
    """An empty email or password counts as missing."""
    body = new_user_body(**{field: value})
    assert refused(post(servers, body), 400) == f"{field} missing"


def test_user_without_password_is_refused(servers: SharedServers) -> None:
    """The missing password is reported before an invalid email."""
    assert refused(post(servers, b'{"email": 1}'), 400) == "password missing"


@pytest.mark.parametrize("body", NO_NAMES.values(), ids=NO_NAMES.keys())
def test_invalid_name_changes_nothing(
    servers: SharedServers, body: bytes
) -> None:
    """A name that is no text leaves both names unchanged."""
    assert refused(put(servers, body), 400) == "Wrong format"


@pytest.mark.parametrize("headers", NO_JSON_TYPES)
def test_json_without_content_type_is_refused(
    servers: SharedServers, headers: tuple[bytes, ...]
) -> None:
    """A body of another content type is not read as JSON."""
    assert (
        refused(post(servers, new_user_body(), headers), 400) == "Wrong format"
    )


@pytest.mark.parametrize("charset", [b"utf-16", b"latin-1", b"\xff", b"x"])
def test_json_charset_parameter_is_ignored(
    servers: SharedServers, charset: bytes
) -> None:
    """JSON must be UTF-8 whatever the charset parameter says."""
    body = '{"first_name": "é"}'.encode("latin-1")
    headers = [b"Content-Type: application/json; charset=" + charset]
    assert refused(put(servers, body, headers), 400) == "Wrong format"


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
    "form",
    [
        b"email=\xff\xfe&password=\x80\x81",
        b"email=%ff%fe&password=%80%81",
        b"email=%00&password=%00",
        b"email=bob%40hbtn.io%00&password=" + PASSWORD.encode(),
        b"email=bob%40hbtn.io&password=" + PASSWORD.encode() + b"%00",
        b"email=%ed%a0%80&password=%ed%a0%80",
        b"email=%zz&password=%",
        b"email&password",
        b"&&&===;;;",
        b"a&" * 30_000,
        b"email[]=bob%40hbtn.io&password[$ne]=x",
    ],
)
def test_malformed_login_form_is_refused(
    servers: SharedServers, form: bytes
) -> None:
    """A form that no browser sends does not log in."""
    answer = login(servers, form)
    refused(answer, 400, 401, 404)
    assert "set-cookie" not in answer.headers


def test_first_of_repeated_form_fields_counts(servers: SharedServers) -> None:
    """A right password after a wrong one does not log in."""
    form = f"email={EMAIL}&password=wrong&password={PASSWORD}".encode()
    assert refused(login(servers, form), 401) == "wrong password"
    form = f"email=unknown@hbtn.io&email={EMAIL}&password={PASSWORD}".encode()
    refused(login(servers, form), 404)


def part(name: bytes, value: bytes, more: bytes = b"") -> bytes:
    """Return one part of a multipart form."""
    head = b'--B\r\nContent-Disposition: form-data; name="%b"' % name
    return head + more + b"\r\n\r\n" + value + b"\r\n"


@pytest.mark.parametrize(
    ("body", "statuses"),
    [
        (part(b"email", b"bob@hbtn.io") + part(b"password", b"no"), (401,)),
        (part(b"email", b"\xff") + part(b"password", b"\xfe"), (404,)),
        (part(b"email", b"bob@hbtn.io", b'; filename="x"'), (400,)),
        (part(b"email", b"bob@hbtn.io")[:30], (400,)),
        (part(b"e", b"a") * 1_100, (413,)),
        (part(b"password", b"x" * 600_000), (413,)),
        (b"\r\n" * 1_000, (400,)),
    ],
)
@pytest.mark.parametrize("told", [True, False])
def test_multipart_login_form_has_the_same_limits(
    servers: SharedServers, body: bytes, statuses: tuple[int, ...], told: bool
) -> None:
    """A multipart form is read like an urlencoded one."""
    kind = b"Content-Type: multipart/form-data; boundary=B"
    whole = body + b"--B--\r\n"
    if told:
        answer = login(servers, whole, [kind])
    else:
        answer = login(servers, chunks(whole), [kind, CHUNKED])
        statuses = (411,)
    refused(answer, *statuses)


@pytest.mark.parametrize(
    "kind",
    [
        b"multipart/form-data",
        b"multipart/form-data; boundary=",
        b"multipart/form-data; boundary=\xff",
        b"multipart/form-data; boundary=" + b"B" * 5_000,
        b"application/json",
        b"text/plain",
        b"application/x-www-form-urlencoded; charset=utf-16",
        b"\xff\xfe",
    ],
)
def test_login_with_other_content_type_is_refused(
    servers: SharedServers, kind: bytes
) -> None:
    """The body is not read, or is read as UTF-8."""
    form = b"email=bob%40hbtn.io&password=wrong"
    refused(login(servers, form, [b"Content-Type: " + kind]), 400, 401)


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
