#!/usr/bin/env python3
"""Settings about proxies and hosts: hops, sockets, identities, ways back."""

import pytest

from tests.app.api.conftest import Build
from tests.app.api.service import PASSWORD, Service, stored_user
from tests.app.api.test_deciding_headers import (
    CLIENT,
    PROXY,
    SIGN_IN,
    bare,
    from_peer,
    key,
)
from tests.app.api.test_verify import BEHIND, audience_of
from tests.serving import COOKIE, LOGIN, SESSIONS, VERIFY
from vestibule.checks.startup import (
    check_settings,
    startup_warnings,
)
from vestibule.core.errors import ConfigurationError
from vestibule.mechanisms import mechanism_for


@pytest.mark.parametrize(
    ("hops", "forwarded", "address"),
    [
        ("0", "198.51.100.1, 192.0.2.7", "198.51.100.1"),
        ("1", "198.51.100.1, 192.0.2.7", "192.0.2.7"),
        ("2", "198.51.100.1, 192.0.2.7", "198.51.100.1"),
        ("2", "203.0.113.1, 198.51.100.1, 192.0.2.7", "198.51.100.1"),
        ("3", "198.51.100.1, 192.0.2.7", "198.51.100.1"),
        ("1", "198.51.100.1, nonsense", "203.0.113.9"),
        ("1", None, "203.0.113.9"),
    ],
)
def test_hops_bound_what_is_believed(
    build: Build, hops: str, forwarded: str | None, address: str
) -> None:
    """The client's part is further left, and any peer counts as a proxy."""
    service = build(
        "session_db_auth", TRUSTED_PROXIES="0.0.0.0/0", TRUSTED_HOPS=hops
    )
    there = from_peer("203.0.113.9")
    if forwarded is not None:
        there["HTTP_X_FORWARDED_FOR"] = forwarded
    client = service.log_in(stored_user(), environ_overrides=there)[0]
    (listed,) = client.get(SESSIONS).get_json()
    assert listed["ip"] == address


def test_unix_socket_can_be_trusted(build: Build) -> None:
    """The peer on it has the empty address under gunicorn."""
    there = from_peer(
        "", HTTP_X_FORWARDED_FOR=CLIENT, HTTP_X_FORWARDED_PROTO="https"
    )
    for trusted, address, is_secure in (
        ("127.0.0.1", "unknown", False),
        ("unix", CLIENT, True),
        ("127.0.0.1,unix", CLIENT, True),
    ):
        service = build("session_db_auth", TRUSTED_PROXIES=trusted)
        client, answer = service.log_in(stored_user(), environ_overrides=there)
        assert ("; Secure" in answer.headers["Set-Cookie"]) is is_secure
        listed = client.get(SESSIONS, base_url="https://localhost").get_json()
        assert [one["ip"] for one in listed] == [address]


@pytest.mark.parametrize(
    ("proxies", "hops", "warning"),
    [
        ("0.0.0.0/0", "0", "any client counts as a proxy"),
        ("::/0", "0", "any client counts as a proxy"),
        ("127.0.0.1,128.0.0.0/1", "0", "128.0.0.0/1"),
        ("0.0.0.0/0", "1", None),
        ("", "1", "TRUSTED_HOPS has no effect"),
        ("10.0.0.0/8,172.16.0.0/12,fc00::/7,unix", "0", None),
        ("104.16.0.0/13,2400:cb00::/32", "0", None),
    ],
)
def test_start_warns_of_proxies_that_any_client_could_be(
    monkeypatch: pytest.MonkeyPatch,
    proxies: str,
    hops: str,
    warning: str | None,
) -> None:
    """A number of hops makes a wide network safe."""
    monkeypatch.setenv("TRUSTED_PROXIES", proxies)
    monkeypatch.setenv("TRUSTED_HOPS", hops)
    text = "\n".join(startup_warnings(mechanism_for("basic_auth")))
    if warning is None:
        assert "TRUSTED" not in text
    else:
        assert warning in text


def test_identity_header_needs_hosts(monkeypatch: pytest.MonkeyPatch) -> None:
    """A start without them would sign nothing, or anything."""
    monkeypatch.setenv("IDENTITY_HEADER", "on")
    with pytest.raises(ConfigurationError, match="IDENTITY_HOSTS: must list"):
        check_settings(mechanism_for("basic_auth"))
    monkeypatch.setenv("IDENTITY_HOSTS", "app.example:x")
    with pytest.raises(ConfigurationError, match="IDENTITY_HOSTS: must be"):
        check_settings(mechanism_for("basic_auth"))
    monkeypatch.setenv("IDENTITY_HOSTS", "app.example,localhost:*")
    check_settings(mechanism_for("basic_auth"))


@pytest.mark.parametrize(
    ("return_to", "by_tls", "location"),
    [
        ("http://app.example/a", True, "/account"),
        ("http://app.example/a", False, "http://app.example/a"),
        ("https://app.example/a", True, "https://app.example/a"),
        ("https://app.example/a", False, "https://app.example/a"),
        ("/a", True, "/a"),
    ],
)
def test_sign_in_by_tls_returns_by_tls(
    build: Build, return_to: str, by_tls: bool, location: str
) -> None:
    """A page without TLS could be replaced on the way (ASVS 3.7.2)."""
    service = build(
        "session_db_auth", WEB_PAGES="on", ALLOWED_RETURN_HOSTS="app.example"
    )
    user = stored_user()
    answer = service.client().post(
        SIGN_IN,
        base_url="https://localhost" if by_tls else "http://localhost",
        headers={"Sec-Fetch-Site": "same-origin"},
        data={
            "email": user.email,
            "password": PASSWORD,
            "return_to": return_to,
        },
    )
    assert answer.status_code == 303
    assert answer.headers["Location"] == location


@pytest.mark.parametrize(
    ("given", "location"),
    [
        (
            {"HTTP_X_ORIGINAL_URL": "https://app.example/page?a=b"},
            "https%3A//app.example/page%3Fa%3Db",
        ),
        (
            {
                "HTTP_X_ORIGINAL_URL": "https://evil.example/",
                "HTTP_X_FORWARDED_HOST": "app.example",
                "HTTP_X_FORWARDED_PROTO": "https",
                "HTTP_X_FORWARDED_URI": "/page",
            },
            "https%3A//app.example/page",
        ),
        ({"HTTP_X_ORIGINAL_URL": "https://evil.example/"}, None),
        ({"HTTP_X_ORIGINAL_URL": "https://app.example"}, None),
        ({"HTTP_X_ORIGINAL_URL": "\xff"}, None),
        ({"HTTP_X_ORIGINAL_URL": "/page"}, None),
    ],
)
def test_original_url_of_ingress_nginx_is_the_way_back(
    build: Build, given: dict[str, str], location: str | None
) -> None:
    """Only from a trusted proxy, and only to allowed hosts."""
    service = build(
        "session_db_auth",
        TRUSTED_PROXIES=PROXY,
        LOGIN_URL="https://auth.example/sign-in",
        ALLOWED_RETURN_HOSTS="app.example",
    )
    for peer, back in ((PROXY, location), (CLIENT, None)):
        answer = service.client().get(
            VERIFY,
            headers={"Sec-Fetch-Mode": "navigate"},
            environ_overrides=from_peer(peer, **given),
        )
        assert answer.status_code == 302
        assert answer.headers["Location"] == (
            "https://auth.example/sign-in"
            + ("" if back is None else f"?return_to={back}")
        )


def test_body_without_a_length_is_refused(service: Service) -> None:
    """A server may hand over what came before a cut as the whole body."""
    answer = service.client().post(
        LOGIN,
        data={"email": "a", "password": "b"},
        environ_overrides={
            "CONTENT_LENGTH": "",
            "HTTP_TRANSFER_ENCODING": "chunked",
            "wsgi.input_terminated": True,
        },
    )
    assert answer.status_code == 411
    assert answer.get_json() == {"error": "Length Required"}


@pytest.mark.parametrize("name", ["Host", "X-Forwarded-Host"])
@pytest.mark.parametrize(
    ("host", "audience"),
    [
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
    ],
)
def test_token_is_signed_only_for_listed_hosts(
    build: Build, name: str, host: str, audience: str | None
) -> None:
    """A client that names another host gets no token for it."""
    service = build(
        "session_db_auth",
        **BEHIND,
        IDENTITY_HEADER="on",
        IDENTITY_HOSTS="app.example, [::1]:8000, dev.example:*",
    )
    session = service.client_for(stored_user()).get_cookie(COOKIE)
    assert session is not None
    answer = bare(service).get(
        VERIFY,
        environ_overrides={
            key(name): host,
            "HTTP_COOKIE": f"{COOKIE}={session.value}",
        },
    )
    assert answer.status_code == 200
    if audience is None:
        assert answer.headers["X-Vestibule-Identity"] == ""
    else:
        assert audience_of(answer) == audience


def test_overlong_host_gets_no_token(build: Build) -> None:
    """A host name of more than 255 characters is malformed."""
    service = build("session_db_auth", **BEHIND, IDENTITY_HEADER="on")
    client = service.client_for(stored_user())
    overlong = {"X-Forwarded-Host": "a" * 10_000}
    answer = client.get(VERIFY, headers=overlong)
    assert answer.status_code == 400
    assert "X-Vestibule-Identity" not in answer.headers
