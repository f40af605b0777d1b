#!/usr/bin/env python3
"""Access to each route under each mechanism, and the texts of login."""

from typing import Any

import pytest
from flask.testing import FlaskClient

from tests.app.api.conftest import Build
from tests.app.api.service import (
    WITH_SESSIONS,
    Service,
    session_id_of,
    stored_user,
)
from tests.app.contract.transcript import (
    error,
    masked,
    reply,
    session_cookie,
    user_text,
)
from tests.serving import COOKIE, LOGIN, LOGOUT, ME, USERS
from tests.stored_sessions import sessions_in
from vestibule.db.models.user import User
from vestibule.db.models.user_session import UserSession
from vestibule.mechanisms import MECHANISMS

PASSWORD = "a:b: c"
EMAIL = "bob@hbtn.io"
BASIC = (EMAIL, PASSWORD)
FORM = {"email": EMAIL, "password": PASSWORD}
UNAUTHORIZED = (401, error("Unauthorized"))
FORBIDDEN = (403, error("Forbidden"))
NOT_FOUND = (404, error("Not found"))
#: Headers with credentials that no mechanism accepts.
WRONG = [
    *({"Authorization": odd} for odd in ("Test", "Basic", "Basic !", "")),
    {"Authorization": "Bearer x"},
    {"Cookie": f"{COOKIE}=abcde"},
]

each_mechanism = pytest.mark.parametrize("auth_type", MECHANISMS)
slashes = pytest.mark.parametrize("slash", ["", "/"], ids=["plain", "slash"])


@pytest.fixture
def bob() -> User:
    """Store the user of the tests."""
    user = User(email=EMAIL, first_name="Bob")
    user.password = PASSWORD
    user.save()
    return user


@slashes
@each_mechanism
def test_open_paths_need_no_credential(
    build: Build, auth_type: str, slash: str
) -> None:
    """Four paths need no credential and ignore any."""
    client = build(auth_type).client()
    login = 400 if auth_type in WITH_SESSIONS else 404
    for method, path, status in (
        ("GET", "/api/v1/status", 200),
        ("GET", "/api/v1/unauthorized", 401),
        ("GET", "/api/v1/forbidden", 403),
        ("POST", LOGIN, login),
        ("GET", LOGIN, 405),
        ("POST", "/api/v1/status", 405),
    ):
        for headers in ({}, *WRONG):
            answer = client.open(path + slash, method=method, headers=headers)
            assert answer.status_code == status
            assert "Session-Ended" not in answer.headers


@slashes
@each_mechanism
def test_other_paths_need_a_credential(
    build: Build, auth_type: str, slash: str
) -> None:
    """All other paths: 401 without a credential, 403 with an invalid one."""
    client = build(auth_type).app.test_client(use_cookies=False)
    fake = {"Cookie": f"{COOKIE}_fake=abcde; other={COOKIE}"}
    for method, path in (
        ("GET", "/api/v1/stats"),
        ("GET", USERS),
        ("POST", USERS),
        ("GET", ME),
        ("GET", f"{USERS}/abcde"),
        ("PUT", f"{USERS}/abcde"),
        ("DELETE", f"{USERS}/abcde"),
        ("DELETE", LOGOUT),
        ("GET", LOGOUT),
        ("POST", "/api/v1/stats"),
        ("GET", "/api/v1/unknown"),
        ("GET", "/api/v1/statusx"),
        ("GET", "/api/v1/status/x"),
        ("GET", "/api/v1/auth_session"),
        ("GET", "/api/v1"),
        ("GET", "/unknown"),
    ):
        for headers in ({}, fake):
            answer = client.open(path + slash, method=method, headers=headers)
            assert reply(answer) == UNAUTHORIZED, path
        for headers in WRONG:
            answer = client.open(path + slash, method=method, headers=headers)
            assert reply(answer) == FORBIDDEN, (path, headers)


@each_mechanism
def test_valid_basic_header_works_under_basic_auth_only(
    build: Build, bob: User, auth_type: str
) -> None:
    """The password may contain colons, and a cookie is ignored."""
    client = build(auth_type).client()
    client.set_cookie(COOKIE, "abcde")
    status, text = reply(client.get(ME, auth=BASIC))
    if auth_type == "basic_auth":
        assert status == 200
        assert masked(text) == user_text(EMAIL, '"Bob"')
    else:
        assert (status, text) == FORBIDDEN


@slashes
def test_every_route_is_open_without_mechanism(
    build: Build, slash: str
) -> None:
    """Without `AUTH_TYPE` every route responds, whatever is sent."""
    client = build(None).app.test_client(use_cookies=False)
    for headers in ({}, *WRONG):
        for method, path, status in (
            ("GET", "/api/v1/stats", 200),
            ("GET", USERS, 200),
            ("GET", ME, 404),
            ("DELETE", LOGOUT, 404),
            ("GET", LOGOUT, 405),
            ("POST", LOGIN, 404),
            ("GET", LOGIN, 405),
        ):
            answer = client.open(path + slash, method=method, headers=headers)
            assert answer.status_code == status


@pytest.mark.parametrize("auth_type", [None, "auth", "basic_auth"])
def test_login_is_not_found_without_sessions(
    build: Build, bob: User, auth_type: str | None
) -> None:
    """Mechanisms without sessions have neither login nor logout."""
    client = build(auth_type).client()
    for form in ({}, {"email": "x"}, FORM):
        answer = client.post(LOGIN, data=form)
        assert reply(answer) == NOT_FOUND
        assert "Set-Cookie" not in answer.headers
    left = client.delete(LOGOUT, auth=BASIC)
    assert reply(left) == (FORBIDDEN if auth_type == "auth" else NOT_FOUND)


REFUSED: list[tuple[dict[str, str], int, str]] = [
    ({}, 400, "email missing"),
    ({"email": ""}, 400, "email missing"),
    ({"password": PASSWORD}, 400, "email missing"),
    ({"email": "ann@hbtn.io"}, 400, "password missing"),
    ({"email": EMAIL, "password": ""}, 400, "password missing"),
    (FORM | {"email": "ann@hbtn.io"}, 404, "no user found for this email"),
    (FORM | {"email": "bob"}, 404, "no user found for this email"),
    (FORM | {"password": "a"}, 401, "wrong password"),
    (FORM | {"password": f"{PASSWORD} "}, 401, "wrong password"),
    (FORM | {"password": f"{PASSWORD}\0"}, 401, "wrong password"),
]


def test_refused_login_gives_reason(service: Service, bob: User) -> None:
    """Each reason has its status and text; no cookie is set."""
    client = service.client()
    for form, status, text in REFUSED:
        answer = client.post(LOGIN, data=form)
        assert reply(answer) == (status, error(text)), form
        assert "Set-Cookie" not in answer.headers
        assert ("WWW-Authenticate" in answer.headers) is (status == 401)


def test_login_without_session_name_gets_500(
    service: Service, bob: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A valid login gets 500 and no session; others are refused as usual."""
    client = service.client_for(stored_user())
    monkeypatch.delenv("SESSION_NAME")
    for form, status, text in (
        *REFUSED,
        (FORM, 500, "SESSION_NAME is not set"),
    ):
        answer = client.post(LOGIN, data=form)
        assert reply(answer) == (status, error(text))
        assert "Set-Cookie" not in answer.headers
    assert sessions_in(service.mechanism.store, bob.id) == []
    assert reply(client.get(ME)) == UNAUTHORIZED
    assert reply(service.client().get(ME, auth=BASIC)) == FORBIDDEN


def post_bytes(client: FlaskClient, body: bytes, kind: str) -> Any:
    """Send a login with a body of any bytes."""
    return client.post(LOGIN, data=body, content_type=kind)


URLENCODED = "application/x-www-form-urlencoded"
MULTIPART = "multipart/form-data; boundary=B"


def part(name: bytes, value: bytes, more: bytes = b"") -> bytes:
    """Return one part of a multipart form, and the end of the form."""
    head = b'--B\r\nContent-Disposition: form-data; name="%b"' % name
    return head + more + b"\r\n\r\n" + value + b"\r\n--B--\r\n"


@pytest.mark.parametrize(
    ("body", "kind", "statuses"),
    [
        *(
            (body, URLENCODED, {400, 401, 404})
            for body in (
                b"email=\xff\xfe&password=\x80\x81",
                b"email=%ff%fe&password=%80%81",
                b"email=%00&password=%00",
                b"email=bob%40hbtn.io%00&password=a:b: c",
                b"email=%ed%a0%80&password=%ed%a0%80",
                b"email=%zz&password=%",
                b"&&&===;;;",
                b"a&" * 30_000,
                b"email[]=bob%40hbtn.io&password[$ne]=x",
                # Of repeated fields the first counts.
                b"email=bob%40hbtn.io&password=x&password=a:b: c",
                b"email=x&email=bob%40hbtn.io&password=a:b: c",
            )
        ),
        *(
            (b"email=bob%40hbtn.io&password=a:b: c", kind, {400})
            for kind in (
                "multipart/form-data",
                "multipart/form-data; boundary=\xff",
                "multipart/form-data; boundary=" + "B" * 5_000,
                "application/json",
                "text/plain",
                "\xff\xfe",
            )
        ),
        (part(b"email", b"bob@hbtn.io", b'; filename="x"'), MULTIPART, {400}),
        (part(b"email", b"bob@hbtn.io")[:30], MULTIPART, {400}),
        (part(b"e", b"a")[:-7] * 1_100, MULTIPART, {413}),
        (part(b"password", b"x" * 600_000), MULTIPART, {413}),
        (b"email=a&password=" + b"x" * 70_000, URLENCODED, {413}),
    ],
)
def test_malformed_login_form_is_refused(
    build: Build, bob: User, body: bytes, kind: str, statuses: set[int]
) -> None:
    """A form that no browser sends does not log in."""
    client = build("session_db_auth").client()
    answer = post_bytes(client, body, kind)
    assert reply(answer)[0] in statuses
    assert "Set-Cookie" not in answer.headers
    assert UserSession.count() == 0


def test_login_needs_a_body(build: Build, bob: User) -> None:
    """A query is no form, and no cookie; JSON and a multipart form are."""
    client = build("session_db_auth").client()
    missing = (400, error("email missing"))
    assert client.post(LOGIN, json=FORM).status_code == 200
    assert reply(client.post(LOGIN, query_string=FORM)) == missing
    answer = client.post(LOGIN, data=FORM, content_type="multipart/form-data")
    assert answer.status_code == 200
    query = {COOKIE: session_id_of(client)}
    answer = client.application.test_client().get(ME, query_string=query)
    assert reply(answer) == UNAUTHORIZED


@slashes
def test_session_works_from_login_to_logout(
    service: Service, bob: User, slash: str
) -> None:
    """The login's cookie is valid until the logout."""
    client = service.client()
    form = {"email": "  BOB@hbtn.io", "password": PASSWORD}
    answer = client.post(LOGIN + slash, data=form)
    status, text = reply(answer)
    assert status == 200
    assert masked(text) == user_text(EMAIL, '"Bob"')
    session_id = session_cookie([answer.headers["Set-Cookie"]])
    assert session_id not in text
    for path in (ME, f"{USERS}/{bob.id}"):
        assert reply(client.get(path + slash)) == (200, text)
    for method, wrong in (("GET", LOGOUT), ("POST", ME)):
        answer = client.open(wrong + slash, method=method)
        assert answer.status_code == 405
    assert reply(client.get(f"/api/v1/x{slash}")) == NOT_FOUND
    answer = client.put(ME + slash, json={})
    assert reply(answer) == NOT_FOUND
    assert session_id == session_id_of(client)
    answer = client.delete(LOGOUT + slash)
    assert reply(answer) == (200, "{}\n")
    assert "Clear-Site-Data" not in answer.headers
    assert client.get_cookie(COOKIE) is None
    holder = service.client_with_session(session_id)
    for answer in (holder.get(ME), holder.delete(LOGOUT)):
        assert reply(answer) == FORBIDDEN
        assert answer.headers["Session-Ended"] == "reason=logged_out"
