#!/usr/bin/env python3
"""Headers that decide, as both servers hand them over to the application.

granian hands a value with a byte outside of ASCII over as an empty text,
gunicorn as Latin-1.
"""

import re
from typing import Any

import pytest
from flask.testing import FlaskClient
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from tests.app.api.conftest import Build
from tests.app.api.service import Service, stored_user
from tests.app.api.test_events import Logged
from tests.serving import COOKIE, ME, SESSIONS, VERIFY
from vestibule.core import request_headers

PROXY, CLIENT = "10.0.0.1", "192.0.2.7"
SIGN_IN = "/sign-in"
#: Client parts of `X-Forwarded-For` under granian and under gunicorn.
UNREADABLE = ["", "\xff", "\xff, 192.0.2.7", ",192.0.2.7", "192.0.2.7,"]


def key(name: str) -> str:
    """Return the key of a header in a WSGI environment."""
    return "HTTP_" + name.upper().replace("-", "_")


def bare(service: Service) -> FlaskClient:
    """Return a client that sends the `Cookie` header that it is given."""
    return service.app.test_client(use_cookies=False)


def from_peer(peer: str, **headers: str) -> dict[str, Any]:
    """Return what a request from `peer` with `headers` overrides."""
    return {"REMOTE_ADDR": peer, "SERVER_PROTOCOL": "HTTP/1.1", **headers}


@pytest.fixture
def behind(build: Build) -> Service:
    """Return a service with pages behind a trusted proxy."""
    return build(
        "session_db_auth", TRUSTED_PROXIES=PROXY, WEB_PAGES="on", THROTTLE="on"
    )


@pytest.mark.parametrize(
    ("name", "value"),
    [
        *(("X-Forwarded-For", value) for value in UNREADABLE),
        ("X-Forwarded-Proto", ""),
        ("X-Forwarded-Proto", "https,"),
        ("X-Forwarded-Proto", "\xff, https"),
        ("X-Forwarded-Host", ""),
        ("X-Forwarded-Host", "a b"),
        ("X-Forwarded-Host", "user@app.example"),
        ("X-Forwarded-Host", "app.example/"),
        ("X-Forwarded-Host", "b\xfccher.example"),
        ("X-Forwarded-Port", ""),
        ("X-Forwarded-Port", "x"),
        ("X-Forwarded-Port", "\xb2"),
    ],
)
def test_unreadable_header_of_trusted_proxy_is_refused(
    behind: Service, name: str, value: str
) -> None:
    """It is a 400 that names the header, and counts from no other peer."""
    client = behind.client_for(stored_user())
    given = {key(name): value}
    # Twice: the second request could be answered from the cache.
    for path in (ME, ME, VERIFY, VERIFY, "/api/v1/status"):
        assert client.get(path).status_code == 200
        refused = client.get(path, environ_overrides=from_peer(PROXY, **given))
        assert refused.status_code == 400
        assert refused.get_json() == {
            "error": f"{name} is empty, malformed or has characters that"
            " cannot be read"
        }
        passed = client.get(path, environ_overrides=from_peer(CLIENT, **given))
        assert passed.status_code == 200


@pytest.mark.parametrize("value", UNREADABLE)
def test_unreadable_address_does_not_evade_the_throttle(
    behind: Service, value: str
) -> None:
    """The password is not even checked."""
    user = stored_user()
    answer = behind.log_in(
        user,
        environ_overrides=from_peer(PROXY, HTTP_X_FORWARDED_FOR=value),
    )[1]
    assert answer.status_code == 400
    assert "Set-Cookie" not in answer.headers


@pytest.mark.parametrize(
    ("host", "status"),
    [
        ("app.example", 200),
        ("app.example:8080", 200),
        ("[::1]:8080", 200),
        ("my_app:80", 200),
        ("", 400),
        ("\xff", 400),
        ("a b", 400),
        ("a@b", 400),
        ("a,b", 400),
        ("a/b", 400),
        ("a:b", 400),
        ("a" * 300, 400),
    ],
)
def test_host_is_one_readable_host(
    service: Service, host: str, status: int
) -> None:
    """HTTP/1.1 needs it (RFC 9112, section 3.2); probes by 1.0 do not."""
    there = from_peer(CLIENT, HTTP_HOST=host)
    answer = service.client().get("/api/v1/status", environ_overrides=there)
    assert answer.status_code == status
    there["SERVER_PROTOCOL"] = "HTTP/1.0"
    answer = service.client().get("/api/v1/status", environ_overrides=there)
    if host in ("", "\xff"):
        assert answer.status_code == 200
    else:
        assert answer.status_code == status


def test_long_headers_of_clients_are_not_cached(service: Service) -> None:
    """Otherwise a few hundred requests would fill the memory."""
    before = request_headers._is_host.cache_info().currsize
    for number in range(3):
        there = from_peer(CLIENT, HTTP_HOST=f"{number}" + "a" * 100_000)
        answer = service.client().get(
            "/api/v1/status", environ_overrides=there
        )
        assert answer.status_code == 400
    assert request_headers._is_host.cache_info().currsize == before


def test_foreign_cookie_does_not_cost_the_session(service: Service) -> None:
    """Its bytes are Latin-1 under gunicorn; its name is no other name."""
    value = service.client_for(stored_user()).get_cookie(COOKIE)
    assert value is not None
    session = f"{COOKIE}={value.value}"
    for foreign in ("a=\xa0", "a\xff=1", "\xa0", "a=\x85b", 'a="\xff', "(=1"):
        for header in (f"{foreign}; {session}", f"{session}; {foreign}"):
            answer = bare(service).get(
                ME, environ_overrides={"HTTP_COOKIE": header}
            )
            assert answer.status_code == 200, header
    for blank in ("\x85", "\xa0", "\x1c", "\u2003"):
        for header in (f"x=1; {blank}{session}", f"{COOKIE}{blank}={value}"):
            answer = bare(service).get(
                ME, environ_overrides={"HTTP_COOKIE": header}
            )
            assert answer.status_code in (401, 403), header


def test_unreadable_cookies_are_named(behind: Service) -> None:
    """Under granian nothing of the header is left: a page names the cause."""
    there = from_peer(CLIENT, HTTP_COOKIE="")
    for path in (ME, VERIFY, "/api/v1/status"):
        answer = bare(behind).get(path, environ_overrides=there)
        assert answer.status_code == 400
        assert answer.get_json()["error"].startswith("Cookie is empty")
    shown = bare(behind).get(
        SIGN_IN, headers={"Accept": "text/html"}, environ_overrides=there
    )
    assert shown.status_code == 400
    assert "delete the site&#39;s cookies" in shown.text


@pytest.mark.parametrize(
    "value", ["", "\xff", "Basic \xff", "Basic a,Basic b"]
)
def test_unreadable_authorization_is_a_wrong_credential(
    build: Build, value: str
) -> None:
    """It is not an absent one, which would be a 401."""
    for auth_type in ("basic_auth", "session_db_auth"):
        answer = (
            build(auth_type)
            .client()
            .get(ME, environ_overrides={"HTTP_AUTHORIZATION": value})
        )
        assert answer.status_code == 403


CLIENT_PART = st.text(
    st.characters(max_codepoint=255, exclude_characters="\r\n\0")
)


@pytest.mark.slow
@hypothesis_settings(
    suppress_health_check=[HealthCheck.function_scoped_fixture],
    max_examples=60,
    deadline=None,
)
@given(part=CLIENT_PART, cookie=CLIENT_PART.filter(lambda t: COOKIE not in t))
def test_client_part_changes_neither_address_nor_session(
    behind: Service, part: str, cookie: str
) -> None:
    """As gunicorn and granian hand them over, behind an appending proxy."""
    session = behind.client_for(stored_user()).get_cookie(COOKIE)
    assert session is not None
    cookies = f"{cookie.replace(';', '')}; {COOKIE}={session.value}"
    for forwarded, sent in (
        (f"{part}, {CLIENT}", cookies),
        (f"{part}, {CLIENT}" if part.isascii() else "", cookies),
    ):
        answer = bare(behind).get(
            SESSIONS,
            environ_overrides=from_peer(
                PROXY, HTTP_X_FORWARDED_FOR=forwarded, HTTP_COOKIE=sent
            ),
        )
        assert answer.status_code in (200, 400)
        login = behind.log_in(
            stored_user(),
            environ_overrides=from_peer(PROXY, HTTP_X_FORWARDED_FOR=forwarded),
        )
        assert login[1].status_code == answer.status_code
        if answer.status_code == 200:
            listed = login[0].get(SESSIONS).get_json()
            assert {one["ip"] for one in listed} == {CLIENT}


@pytest.mark.parametrize(
    ("headers", "origin", "status"),
    [
        ({}, "http://192.0.2.10:8080", 403),
        (
            {"X-Forwarded-Host": "192.0.2.10:8080"},
            "http://192.0.2.10:8080",
            200,
        ),
        ({"X-Forwarded-Host": "192.0.2.10:8080"}, "http://192.0.2.10", 403),
        (
            {"X-Forwarded-Host": "192.0.2.10", "X-Forwarded-Port": "8080"},
            "http://192.0.2.10:8080",
            200,
        ),
        ({"X-Forwarded-Port": "8080"}, "http://192.0.2.10:8080", 200),
        ({"X-Forwarded-Port": "8080"}, "http://192.0.2.10:8081", 403),
        (
            {"X-Forwarded-Host": "evil.example, 192.0.2.10:8080"},
            "http://evil.example",
            403,
        ),
    ],
)
def test_forwarded_host_of_trusted_proxy_is_the_own_host(
    behind: Service, headers: dict[str, str], origin: str, status: int
) -> None:
    """Of another peer it is not."""
    given = {key(name): value for name, value in headers.items()}
    given |= {"HTTP_HOST": "192.0.2.10", "HTTP_ORIGIN": origin}
    for peer, expected in ((PROXY, status), (CLIENT, 403)):
        answer = behind.log_in(
            stored_user(), environ_overrides=from_peer(peer, **given)
        )[1]
        if peer == CLIENT and origin == "http://192.0.2.10":
            # The host itself, which the peer need not be trusted for.
            expected = 200
        assert answer.status_code == expected


def test_refused_origin_is_named_by_page_and_log(
    behind: Service, logged: Logged
) -> None:
    """Both values are there; what a site chose is escaped and bounded."""
    page = {"Accept": "text/html", "Host": "192.0.2.10"}

    def sign_in(origin: str) -> str:
        """Send the sign-in form from `origin`; return the refusal."""
        answer = behind.client().post(
            SIGN_IN,
            headers={**page, "Origin": origin},
            data={"email": "a", "password": "b"},
        )
        assert answer.status_code == 403
        return re.sub(r"\s+", " ", answer.text)

    shown = sign_in("http://192.0.2.10:8080")
    assert "from http://192.0.2.10:8080, but" in shown
    assert "reached as 192.0.2.10." in shown
    (line,) = logged()
    assert line["origin"] == "http://192.0.2.10:8080"
    assert line["host"] == "192.0.2.10"
    assert "(Origin: null)" in sign_in("null")
    odd = sign_in("<b>" + "x" * 500)
    assert "<b>x" not in odd and "x" * 101 not in odd
