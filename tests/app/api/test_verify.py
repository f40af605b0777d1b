#!/usr/bin/env python3
"""The verify endpoint: responses and conditions."""

import re
from collections.abc import Callable
from typing import Any
from urllib.parse import unquote

import jwt
import pytest
from sqlalchemy import text
from werkzeug.test import TestResponse

from tests.app.api.conftest import Build
from tests.app.api.service import (
    WITH_SESSIONS,
    Service,
    basic,
    session_id_of,
    stored_user,
)
from tests.clocks import SetClock
from tests.e2e.forward_auth.deployment import OLD_PAGE, PAGE
from tests.serving import LOGOUT, ME, VERIFY
from vestibule.db.engine import database
from vestibule.db.models.user import User
from vestibule.db.models.user_session import UserSession

NAMES = (
    "Remote-User",
    "Remote-Email",
    "Remote-Email-Verified",
    "Remote-Groups",
    "Remote-Assurance",
    "X-Vestibule-Identity",
)
FROM_PROXY = {
    "X-Forwarded-Proto": "https",
    "X-Forwarded-Host": "app.example",
    "X-Forwarded-Uri": "/page",
}
SIGN_IN = "https://in.example/sign-in"
#: Settings of a service behind a proxy.
BEHIND = {
    "TRUSTED_PROXIES": "127.0.0.1",
    "LOGIN_URL": SIGN_IN,
    "ALLOWED_RETURN_HOSTS": "app.example",
}
#: Values of forwarded headers that must not appear in a redirect.
ODD = [
    None,
    "//evil.example",
    "/\\evil.example",
    "https:evil.example",
    "evil.example",
    "https://evil.example/",
    "/a b",
    "/\tx",
    "\u00e4",
    "/" + "a" * 10_000,
    # Two headers, as WSGI joins them.
    "app.example,//evil.example",
]
#: Line ends, and texts that stand for one.
ENDS = [
    "\r",
    "\n",
    "\r\n",
    "\n\n",
    "\r\n\r\n",
    "\r\n\t",
    "\x0b",
    "\x85",
    "\u2028".encode().decode("latin-1"),
    "%0d",
    "%0a",
    "%0d%0a",
    "%0D%0A",
    "%0d%0a%09",
    "%E2%80%A8",
    "\\r\\n",
]
#: The header that an attacker wants to add to the response.
INJECTED = "X-Injected:yes"

Ask = Callable[..., TestResponse]


def environ(headers: dict[str, str]) -> dict[str, str]:
    """Return the headers as entries of a WSGI environ, unchecked."""
    return {
        f"HTTP_{name.upper().replace('-', '_')}": value
        for name, value in headers.items()
    }


def is_refused(answer: TestResponse) -> bool:
    """Return True if the response is a plain 401 without an identity."""
    return (
        answer.status_code == 401
        and answer.get_json() == {"error": "Unauthorized"}
        and answer.headers["Content-Type"] == "application/json"
        and "Location" not in answer.headers
        and not any(name in answer.headers for name in NAMES)
    )


def audience_of(answer: TestResponse) -> Any:
    """Return the audience of the token in a response."""
    token = answer.headers["X-Vestibule-Identity"]
    return jwt.decode(token, options={"verify_signature": False})["aud"]


@pytest.fixture
def behind(build: Build) -> Service:
    """Return a service behind a proxy."""
    return build("session_db_auth", **BEHIND)


@pytest.fixture
def ask(behind: Service) -> Ask:
    """Return a function that asks verify, by a known client or another."""
    known, other = behind.client_for(stored_user()), behind.client()

    def asked(headers: dict[str, str], is_known: bool = False) -> TestResponse:
        """Send headers that only some servers may accept."""
        client = known if is_known else other
        return client.get(VERIFY, environ_overrides=environ(headers))

    return asked


@pytest.mark.parametrize("end", ["", "/", "?redirect=off"])
def test_session_gets_user_and_identity_headers(
    behind: Service, end: str
) -> None:
    """The body equals that of `/users/me`, and each header is set."""
    user = stored_user()
    client = behind.client_for(user)
    answer, me = client.get(VERIFY + end), client.get(ME)
    assert (answer.status_code, answer.data) == (200, me.data)
    assert answer.headers["Content-Type"] == me.headers["Content-Type"]
    assert [answer.headers[name] for name in NAMES] == [
        user.id,
        user.email,
        "false",
        "member",
        "1",
        "",
    ]
    head = client.head(VERIFY + end)
    assert (head.status_code, head.data) == (200, b"")
    assert head.headers["Content-Length"] == str(len(me.data))
    assert head.headers["Remote-User"] == user.id


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Accept": "*/*"},
        {"Accept": "application/json"},
        {**OLD_PAGE, "Sec-Fetch-Mode": "cors"},
        {**OLD_PAGE, "Sec-Fetch-Mode": "websocket"},
        {**PAGE, "Connection": "Upgrade", "Upgrade": "websocket"},
        {"Accept": "text/html;q=0.1, application/json"},
    ],
)
def test_request_that_is_no_page_load_gets_401(
    behind: Service, headers: dict[str, str]
) -> None:
    """A client that cannot follow a redirect gets none."""
    for cookie in ("", "unknown", "a" * 4000):
        client = behind.client_with_session(cookie)
        assert is_refused(client.get(VERIFY, headers=headers))
    assert is_refused(behind.client().get(VERIFY, headers=headers))


@pytest.mark.parametrize("page", [PAGE, OLD_PAGE], ids=["new", "old"])
def test_page_load_redirects_to_sign_in(
    behind: Service, page: dict[str, str]
) -> None:
    """The redirect has the return address; with `redirect=off` a 401 carries
    it, as nginx needs.
    """
    given = {**page, **FROM_PROXY}
    answer = behind.client().get(VERIFY, headers=given)
    assert answer.status_code == 302
    assert answer.headers["Location"] == (
        f"{SIGN_IN}?return_to=https%3A//app.example/page"
    )
    off = behind.client().get(f"{VERIFY}?redirect=off", headers=given)
    assert off.status_code == 401
    assert off.headers["Location"] == answer.headers["Location"]
    assert not any(name in answer.headers for name in NAMES)


@pytest.mark.parametrize("name", FROM_PROXY)
def test_malformed_forwarded_header_is_no_redirect_target(
    ask: Ask, name: str
) -> None:
    """The redirect leads to no other host, and a session stays valid."""
    for odd in ODD:
        given = {**PAGE, **FROM_PROXY} | {name: odd or ""}
        if odd is None:
            del given[name]
        answer = ask(given)
        # A header that cannot be read is refused. Without a readable scheme
        # the page counts as one by http, to which a sign-in page by TLS
        # never leads.
        assert answer.status_code in (302, 400), odd
        if answer.status_code == 302:
            assert answer.headers["Location"] == SIGN_IN, odd
        assert ask(given, True).status_code == (
            200 if answer.status_code == 302 else 400
        ), odd


def assert_harmless(location: str, end: str) -> None:
    """Check that `location` leads to the sign-in page only.

    Encoded characters are encoded once more, so they return unchanged.
    """
    assert re.fullmatch(
        re.escape(SIGN_IN) + r"(\?return_to=[!-~]+)?", location
    )
    assert end not in location
    assert not re.search("%0[ad]|%0[bc]|%85", location, re.IGNORECASE)
    back = unquote(location.removeprefix(f"{SIGN_IN}?return_to="))
    assert back.isprintable()
    assert location == SIGN_IN or re.match("https?://app.example/", back)


@pytest.mark.parametrize("end", ENDS, ids=repr)
def test_line_end_in_forwarded_header_injects_no_header(
    ask: Ask, end: str
) -> None:
    """A client chooses the path and may choose the host; a line end that
    came back in `Location` would start a header of the client's choice.
    """
    values = [
        (name, odd)
        for name, value in FROM_PROXY.items()
        for odd in (f"{INJECTED}{end}{value}", f"{value}{end}{INJECTED}")
    ]
    for name, odd in values:
        given = {**PAGE, **FROM_PROXY, name: odd}
        answer = ask(given)
        is_readable = answer.status_code == 302
        assert is_readable or answer.status_code == 400
        assert_harmless(answer.headers.get("Location", SIGN_IN), end)
        assert "X-Injected" not in answer.headers
        answer = ask(given, True)
        assert answer.status_code == (200 if is_readable else 400)
        assert "Location" not in answer.headers
        for header in NAMES:
            assert answer.headers.get(header, "").isprintable()


def test_encoded_line_end_is_kept_in_return_address(ask: Ask) -> None:
    """It is encoded once more."""
    encoded = {**PAGE, **FROM_PROXY, "X-Forwarded-Uri": "/page%0d%0aa"}
    assert ask(encoded).headers["Location"] == (
        f"{SIGN_IN}?return_to=https%3A//app.example/page%250d%250aa"
    )


def test_verify_allows_get_and_head_only(behind: Service) -> None:
    """Other methods get 403 or 405 and no identity."""
    client = behind.client_for(stored_user())
    for method in ("POST", "PUT", "DELETE", "PATCH", "OPTIONS"):
        answer = client.open(VERIFY, method=method)
        assert answer.status_code in (403, 405), method
        assert "Remote-User" not in answer.headers
    assert client.put(VERIFY).headers["Allow"] == "GET, HEAD"


@pytest.mark.parametrize(
    "auth_type", [None, "auth", "basic_auth", *WITH_SESSIONS]
)
def test_verify_under_each_mechanism(
    build: Build, auth_type: str | None
) -> None:
    """A session or a Basic header authenticates under its mechanism only;
    only a mechanism with sessions redirects.
    """
    service, user = build(auth_type), stored_user()
    anonymous = service.client()
    right, wrong = basic(user), basic(user, "wrong")
    for header in (None, wrong, "Bearer a.b.c", right):
        headers = {} if header is None else {"Authorization": header}
        answer = anonymous.get(VERIFY, headers=headers)
        if auth_type == "basic_auth" and header == right:
            assert answer.status_code == 200
            assert answer.headers["Remote-Email"] == user.email
        else:
            assert is_refused(answer)
    page = anonymous.get(VERIFY, headers=PAGE)
    if auth_type not in WITH_SESSIONS:
        assert is_refused(page)
        return
    assert page.headers["Location"] == "/sign-in"
    client = service.client_for(user)
    for header in (right, "Bearer a.b.c", "x" * 10_000):
        answer = client.get(VERIFY, headers={"Authorization": header})
        assert answer.status_code == 200
    session_id = session_id_of(client)
    client.delete(LOGOUT)
    assert is_refused(service.client_with_session(session_id).get(VERIFY))


def test_forwarded_headers_of_untrusted_peer_are_ignored(
    build: Build,
) -> None:
    """They change neither the redirect nor the token's audience."""
    service = build(
        "session_db_auth",
        ALLOWED_RETURN_HOSTS="app.example",
        IDENTITY_HEADER="on",
        IDENTITY_HOSTS="localhost,app.example",
    )
    given = {**PAGE, **FROM_PROXY}
    answer = service.client().get(VERIFY, headers=given)
    assert answer.headers["Location"] == "/sign-in"
    named = service.client_for(stored_user()).get(VERIFY, headers=given)
    assert audience_of(named) == "localhost"


@pytest.mark.parametrize(
    ("user_id", "email"),
    [
        ("a%41", "b%b@x.example"),
        ("\u00e4\r\nX-A: b", "\u540d@x.example"),
        ("a b", "q\x7f@x.example"),
    ],
)
def test_identity_headers_are_percent_encoded(
    behind: Service, user_id: str, email: str
) -> None:
    """No value ends a line, and each decodes to the original."""
    User(id=user_id, email=email).save()
    UserSession(user_id=user_id, session_id="secret").save()
    answer = behind.client_with_session("secret").get(VERIFY)
    assert answer.status_code == 200
    assert "X-A" not in answer.headers
    for name, meant in (("Remote-User", user_id), ("Remote-Email", email)):
        assert answer.headers[name].isascii()
        assert answer.headers[name].isprintable()
        assert unquote(answer.headers[name]) == meant


def test_keys_are_not_published_without_identity_header(
    behind: Service,
) -> None:
    """Without `IDENTITY_HEADER` there is no key set."""
    client = behind.client_for(stored_user())
    assert client.get("/.well-known/jwks.json").status_code == 404


def test_database_failure_refuses_cached_session(behind: Service) -> None:
    """No request passes, not even with a session that was just verified."""
    client = behind.client_for(stored_user())
    assert client.get(VERIFY).status_code == 200
    with database().transaction() as connection:
        connection.execute(text("ALTER TABLE user_sessions RENAME TO gone"))
    answer = client.get(VERIFY, headers=PAGE)
    assert answer.status_code == 503
    assert not any(name in answer.headers for name in NAMES)
    assert client.get(ME).status_code == 503


def test_recent_password_is_told_if_asked(
    build: Build, set_clock: SetClock
) -> None:
    """Only a query for it adds the header; the cache does not hide it."""
    service = build("session_db_auth")
    client = service.client_for(stored_user())
    asked = f"{VERIFY}?redirect=off&recent=on"
    for _ in range(2):
        assert client.get(asked).headers["Remote-Recent"] == "true"
        assert "Remote-Recent" not in client.get(VERIFY).headers
    set_clock.advance(7200)
    assert client.get(asked).headers["Remote-Recent"] == "false"
    assert "Remote-Recent" not in service.client().get(asked).headers
