#!/usr/bin/env python3
"""The verify endpoint over a socket: responses and conditions."""

import base64
import re
from collections.abc import Iterator
from urllib.parse import unquote

import jwt
import pytest
import requests

from tests.conftest import Serve
from tests.e2e.forward_auth.deployment import EMAIL, OLD_PAGE, PAGE, PASSWORD
from tests.e2e.server.conftest import ADD_USER
from tests.e2e.server.wire import ask
from tests.serving import COOKIE, DB_SESSIONS, ME, VERIFY, Server

NAMES = (
    "Remote-User",
    "Remote-Email",
    "Remote-Groups",
    "X-Vestibule-Identity",
)
WITH_SESSIONS = ("session_auth", "session_exp_auth", "session_db_auth")
BASIC = "Basic " + base64.b64encode(f"{EMAIL}:{PASSWORD}".encode()).decode()
FROM_PROXY = {
    "X-Forwarded-Proto": "https",
    "X-Forwarded-Host": "app.example",
    "X-Forwarded-Uri": "/page",
}
#: Values of forwarded headers that must not appear in a redirect.
ODD = [
    "//evil.example",
    "/\\evil.example",
    "https:evil.example",
    "evil.example",
    "https://evil.example/",
    "/a b",
    "/\tx",
    "\u00e4",
    "/" + "a" * 10_000,
]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """Run a server that trusts its peers, for tests that change nothing."""
    running = Server(
        tmp_path_factory.mktemp("verify"),
        **DB_SESSIONS,
        TRUSTED_PROXIES="127.0.0.1",
        LOGIN_URL="https://in.example/sign-in",
        ALLOWED_RETURN_HOSTS="app.example",
    ).start()
    running.run(ADD_USER, EMAIL, PASSWORD)
    yield running
    assert running.stop() == 0


@pytest.fixture(scope="module")
def session(server: Server) -> str:
    """Return the id of a session that stays open."""
    return server.login(EMAIL, PASSWORD)


def is_refused(answer: requests.Response) -> bool:
    """Return True if the response is a plain 401 without an identity."""
    return (
        answer.status_code == 401
        and answer.json() == {"error": "Unauthorized"}
        and answer.headers["Content-Type"] == "application/json"
        and "Location" not in answer.headers
        and not any(name in answer.headers for name in NAMES)
    )


@pytest.mark.parametrize("path", [VERIFY, f"{VERIFY}/", f"{VERIFY}?a=b"])
def test_session_gets_user_and_identity_headers(
    server: Server, session: str, path: str
) -> None:
    """The body equals that of `/users/me`, and each header is set."""
    answer = server.request("GET", path, session)
    me = server.request("GET", ME, session)
    assert (answer.status_code, answer.content) == (200, me.content)
    assert answer.headers["Content-Type"] == me.headers["Content-Type"]
    assert [answer.headers[name] for name in NAMES] == [
        me.json()["id"],
        EMAIL,
        "member",
        "",
    ]
    head = server.request("HEAD", path, session)
    assert (head.status_code, head.content) == (200, b"")
    assert head.headers["Content-Length"] == str(len(me.content))
    assert head.headers["Remote-User"] == me.json()["id"]


@pytest.mark.parametrize(
    "authorization",
    [
        "Bearer a.b.c",
        "Basic !",
        BASIC,
        "Negotiate",
        "x" * 10_000,
    ],
)
def test_authorization_header_is_ignored_with_sessions(
    server: Server, session: str, authorization: str
) -> None:
    """It neither invalidates a session nor replaces one."""
    given = {"Authorization": authorization}
    found = server.request("GET", VERIFY, session, headers=given)
    assert found.status_code == 200
    assert is_refused(server.request("GET", VERIFY, headers=given))


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
    server: Server, headers: dict[str, str]
) -> None:
    """A client that cannot follow a redirect gets none."""
    for cookie in (None, "", "unknown", "a" * 4000):
        assert is_refused(
            server.request("GET", VERIFY, cookie, headers=headers)
        )


@pytest.mark.parametrize("page", [PAGE, OLD_PAGE], ids=["new", "old"])
def test_page_load_redirects_to_sign_in(
    server: Server, page: dict[str, str]
) -> None:
    """The redirect has the return address; with `redirect=off` a 401 carries
    it, as nginx needs.
    """
    given = {**page, **FROM_PROXY}
    answer = server.request("GET", VERIFY, headers=given)
    assert answer.status_code == 302
    assert answer.headers["Location"] == (
        "https://in.example/sign-in?return_to=https%3A//app.example/page"
    )
    off = server.request("GET", f"{VERIFY}?redirect=off", headers=given)
    assert off.status_code == 401
    assert off.headers["Location"] == answer.headers["Location"]
    assert not any(name in answer.headers for name in NAMES)


@pytest.mark.parametrize("name", FROM_PROXY)
@pytest.mark.parametrize("odd", [None, *ODD])
def test_malformed_forwarded_header_is_no_redirect_target(
    server: Server, session: str, name: str, odd: str | None
) -> None:
    """The redirect leads to no other host, and a session stays valid."""
    given = {**PAGE, **FROM_PROXY, name: odd}
    lines = [
        f"{key}: {value}".encode()
        for key, value in given.items()
        if value is not None
    ]
    answer = ask(server.port, "GET", VERIFY.encode(), lines)
    assert answer.status in (302, 400)
    location = answer.headers.get("location", "")
    if name == "X-Forwarded-Proto" and answer.status == 302:
        assert unquote(location).endswith("://app.example/page")
    elif answer.status == 302:
        assert location == "https://in.example/sign-in"
    cookie = f"Cookie: {COOKIE}={session}".encode()
    assert ask(
        server.port, "GET", VERIFY.encode(), [*lines, cookie]
    ).status in (200, 400)


@pytest.mark.parametrize("name", FROM_PROXY)
def test_conflicting_forwarded_headers_are_ignored(
    server: Server, name: str
) -> None:
    """Two different values lead only to the sign-in page."""
    lines = [
        f"{key}: {value}".encode()
        for key, value in {**PAGE, **FROM_PROXY}.items()
    ]
    for first in (True, False):
        more = f"{name}: //evil.example".encode()
        sent = [more, *lines] if first else [*lines, more]
        answer = ask(server.port, "GET", VERIFY.encode(), sent)
        assert answer.status in (302, 400)
        if answer.status == 302:
            base, _, back = answer.headers["location"].partition("?")
            assert base == "https://in.example/sign-in"
            assert re.match("$|return_to=https?://app.example/", unquote(back))


def test_verify_allows_get_and_head_only(server: Server, session: str) -> None:
    """Other methods get 403 or 405 and no identity."""
    for method in ("POST", "PUT", "DELETE", "PATCH", "OPTIONS"):
        answer = server.request(method, VERIFY, session)
        assert answer.status_code in (403, 405), method
        assert "Remote-User" not in answer.headers
    assert server.request("PUT", VERIFY, session).headers["Allow"] == (
        "GET, HEAD"
    )


@pytest.mark.parametrize("auth_type", [None, "auth", *WITH_SESSIONS])
def test_verify_under_each_mechanism(
    serve: Serve, auth_type: str | None
) -> None:
    """A session authenticates; without a mechanism no request does."""
    given = {} if auth_type is None else {"AUTH_TYPE": auth_type}
    server = serve(SESSION_NAME=COOKIE, SESSION_DURATION="600", **given)
    server.run(ADD_USER, EMAIL, PASSWORD)
    for headers in ({}, {"Authorization": BASIC}):
        assert is_refused(server.request("GET", VERIFY, headers=headers))
        assert is_refused(server.request("GET", VERIFY, "x", headers=headers))
    page = server.request("GET", VERIFY, headers=PAGE)
    if auth_type not in WITH_SESSIONS:
        assert is_refused(page)
        return
    assert page.headers["Location"] == "/sign-in"
    session = server.login(EMAIL, PASSWORD)
    assert server.request("GET", VERIFY, session).status_code == 200
    server.request("DELETE", "/api/v1/auth_session/logout", session)
    assert server.request("GET", VERIFY, session).status_code == 401


def test_verify_with_basic_auth(serve: Serve) -> None:
    """A valid header authenticates; a page load gets a challenge."""
    server = serve(AUTH_TYPE="basic_auth")
    server.run(ADD_USER, EMAIL, PASSWORD)
    right = {"Authorization": BASIC, **PAGE}
    answer = server.request("GET", VERIFY, headers=right)
    assert answer.status_code == 200
    assert answer.headers["Remote-Email"] == EMAIL
    for wrong in ({}, {"Authorization": BASIC[:-4]}):
        assert is_refused(
            server.request("GET", VERIFY, headers={**PAGE, **wrong})
        )


def test_forwarded_headers_of_untrusted_peer_are_ignored(serve: Serve) -> None:
    """They change neither the redirect nor the token's audience."""
    server = serve(
        **DB_SESSIONS,
        ALLOWED_RETURN_HOSTS="app.example",
        IDENTITY_HEADER="on",
        IDENTITY_HOSTS="localhost,127.0.0.1:*",
    )
    server.run(ADD_USER, EMAIL, PASSWORD)
    given = {**PAGE, **FROM_PROXY}
    answer = server.request("GET", VERIFY, headers=given)
    assert answer.headers["Location"] == "/sign-in"
    session = server.login(EMAIL, PASSWORD)
    named = server.request("GET", VERIFY, session, headers=given)
    said = jwt.decode(
        named.headers["X-Vestibule-Identity"],
        options={"verify_signature": False},
    )
    assert said["aud"] == f"127.0.0.1:{server.port}"


def test_ended_session_is_refused_by_other_server(serve: Serve) -> None:
    """Another process refuses it at once and gives the reason."""
    first, second = serve(**DB_SESSIONS), serve(**DB_SESSIONS)
    first.run(ADD_USER, EMAIL, PASSWORD)
    for _ in range(5):
        session = first.login(EMAIL, PASSWORD)
        for server in (first, second, first, second):
            assert server.request("GET", VERIFY, session).status_code == 200
        ended = first.request("DELETE", "/api/v1/auth_session/logout", session)
        assert ended.status_code == 200
        refused = second.request("GET", VERIFY, session)
        assert is_refused(refused)
        asked = second.request("GET", ME, session)
        assert asked.status_code == 403
        assert refused.headers.get("Session-Ended") == (
            asked.headers.get("Session-Ended")
        )


ODD_USER = """
import sys
from models.user import User
from models.user_session import UserSession
User(id=sys.argv[1], email=sys.argv[2]).save()
UserSession(user_id=sys.argv[1], session_id=sys.argv[3]).save()
"""


def test_identity_headers_are_percent_encoded(serve: Serve) -> None:
    """No value ends a line, and each decodes to the original."""
    server = serve(**DB_SESSIONS)
    for number, (user, email) in enumerate(
        [
            ("a%41", "b%b@x.example"),
            ("\u00e4\r\nX-A: b", "\u540d@x.example"),
            ("a b", "q\x7f@x.example"),
        ]
    ):
        server.run(ODD_USER, user, email, f"secret-{number}")
        answer = server.request("GET", VERIFY, f"secret-{number}")
        assert answer.status_code == 200
        assert "X-A" not in answer.headers
        for name, meant in (("Remote-User", user), ("Remote-Email", email)):
            assert answer.headers[name].isascii()
            assert unquote(answer.headers[name]) == meant


def test_workers_share_signing_keys(serve: Serve) -> None:
    """The keys of one worker verify the tokens of the other."""
    server = serve(
        **DB_SESSIONS,
        WORKERS="2",
        IDENTITY_HEADER="on",
        IDENTITY_HOSTS="localhost,127.0.0.1:*",
    )
    server.run(ADD_USER, EMAIL, PASSWORD)
    session = server.login(EMAIL, PASSWORD)
    for _ in range(20):
        published = server.request("GET", "/.well-known/jwks.json")
        assert published.headers["Cache-Control"] == "public, max-age=300"
        (key,) = jwt.PyJWKSet.from_dict(published.json()).keys
        token = server.request("GET", VERIFY, session).headers[NAMES[-1]]
        assert jwt.get_unverified_header(token)["kid"] == key.key_id
        said = jwt.decode(
            token, key, ["EdDSA"], audience=server.url.partition("//")[2]
        )
        assert said["email"] == EMAIL
        assert said["exp"] - said["iat"] == 60


def test_keys_are_not_published_without_identity_header(
    server: Server,
) -> None:
    """Without `IDENTITY_HEADER` there is no key set."""
    answer = server.request("GET", "/.well-known/jwks.json")
    assert answer.status_code == 404


def test_database_failure_refuses_cached_session(serve: Serve) -> None:
    """No request passes, not even with a session that was just verified."""
    server = serve(**DB_SESSIONS)
    server.run(ADD_USER, EMAIL, PASSWORD)
    session = server.login(EMAIL, PASSWORD)
    assert server.request("GET", VERIFY, session).status_code == 200
    server.run(
        "from sqlalchemy import text\n"
        "from vestibule.db.engine import database\n"
        "with database().transaction() as connection:\n"
        "    connection.execute(text('ALTER TABLE user_sessions'\n"
        "                            ' RENAME TO gone'))\n"
    )
    answer = server.request("GET", VERIFY, session, headers=PAGE)
    assert answer.status_code >= 500
    assert not any(name in answer.headers for name in NAMES)


def test_token_is_signed_only_for_listed_hosts(serve: Serve) -> None:
    """A client that names another host gets no token for it."""
    server = serve(
        **DB_SESSIONS,
        IDENTITY_HEADER="on",
        IDENTITY_HOSTS="app.example, [::1]:8000, dev.example:*",
        TRUSTED_PROXIES="127.0.0.1",
    )
    server.run(ADD_USER, EMAIL, PASSWORD)
    cookie = server.login(EMAIL, PASSWORD)
    for name in ("Host", "X-Forwarded-Host"):
        for host, audience in (
            ("app.example", "app.example"),
            ("APP.example", "app.example"),
            ("[::1]:8000", "[::1]:8000"),
            ("dev.example", "dev.example"),
            ("dev.example:81", "dev.example:81"),
            ("payroll.example", None),
            ("app.example:81", None),
            ("app.example.evil.example", None),
            ("xapp.example", None),
            ("[::1]", None),
            ("a" * 255, None),
        ):
            answer = server.request(
                "GET", VERIFY, cookie, headers={name: host}
            )
            assert answer.status_code == 200
            token = answer.headers["X-Vestibule-Identity"]
            if audience is None:
                assert token == "", host
                continue
            said = jwt.decode(token, options={"verify_signature": False})
            assert said["aud"] == audience
        overlong = {name: "a" * 300}
        answer = server.request("GET", VERIFY, cookie, headers=overlong)
        assert answer.status_code == 400
