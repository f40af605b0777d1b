#!/usr/bin/env python3
"""The setting of applications' hosts, and which requests they are for."""

from typing import Any

import pytest

from vestibule.checks.sign_in import check_application_hosts
from vestibule.core import page_settings
from vestibule.core.application_hosts import (
    HandOver,
    application_host,
    is_for_host,
    may_use_path,
    parse_hand_over,
    session_url,
)
from vestibule.core.errors import ConfigurationError
from vestibule.mechanisms import mechanism_for

GOOD = {
    "APP_HOSTS": "app.example.com,wiki.example.org:8443,[::1]:8080",
    "AUTH_TYPE": "session_db_auth",
    "LOGIN_URL": "https://auth.example.com/sign-in",
    "SESSION_NAME": "__Host-session",
    "TRUSTED_PROXIES": "127.0.0.1",
    "WEB_PAGES": "on",
}
APP = "app.example.com"


@pytest.fixture(autouse=True)
def good_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    """Set what several hosts need."""
    for name, value in GOOD.items():
        monkeypatch.setenv(name, value)


def environ(host: str, **more: str) -> dict[str, Any]:
    """Return the environment of a request by a trusted proxy."""
    return {
        "HTTP_HOST": host,
        "REMOTE_ADDR": "127.0.0.1",
        "wsgi.url_scheme": "http",
        **more,
    }


@pytest.mark.parametrize(
    "value",
    [
        "https://app.example.com",
        "app.example.com/",
        "app.example.com:443",
        "app.example.com:80",
        "app.example.com:99999",
        "app..example.com",
        "-app.example.com",
        "*.example.com",
        "*",
        "app.example.com,app.example.com",
        "app.example.com, APP.example.com",
        "user@app.example.com",
        "app example.com",
        "é.example.com",
    ],
)
def test_malformed_host_is_refused(
    value: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It would never match what a browser sends, or match too much."""
    monkeypatch.setenv("APP_HOSTS", value)
    with pytest.raises(ConfigurationError, match="APP_HOSTS"):
        page_settings.APP_HOSTS.read()


def test_good_settings_are_accepted() -> None:
    """A name, a port and an address of IPv6 are hosts."""
    assert len(page_settings.APP_HOSTS.read()) == 3
    check_application_hosts(mechanism_for("session_db_auth"))


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("AUTH_TYPE", "session_exp_auth"),
        ("AUTH_TYPE", "basic_auth"),
        ("WEB_PAGES", "off"),
        ("LOGIN_URL", "/sign-in"),
        ("LOGIN_URL", "none"),
        ("LOGIN_URL", "https://auth.example.com/other"),
        ("LOGIN_URL", "https://app.example.com/sign-in"),
        ("COOKIE_DOMAIN", "example.com"),
        ("SESSION_NAME", "_my_session_id"),
        ("TRUSTED_PROXIES", ""),
    ],
)
def test_settings_that_cannot_work_are_refused(
    name: str, value: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The start ends, and not a sign-in in a loop."""
    monkeypatch.setenv(name, value)
    kind = mechanism_for(value if name == "AUTH_TYPE" else "session_db_auth")
    with pytest.raises(ConfigurationError):
        check_application_hosts(kind)
    monkeypatch.setenv("APP_HOSTS", "")
    check_application_hosts(kind)


@pytest.mark.parametrize(
    ("host", "more", "expected"),
    [
        (APP, {}, APP),
        ("APP.example.com", {}, APP),
        ("wiki.example.org:8443", {}, "wiki.example.org:8443"),
        ("wiki.example.org", {}, None),
        ("127.0.0.1:5000", {"HTTP_X_FORWARDED_HOST": APP}, APP),
        (
            "127.0.0.1:5000",
            {"HTTP_X_FORWARDED_HOST": APP, "REMOTE_ADDR": "192.0.2.1"},
            None,
        ),
        (APP, {"HTTP_X_FORWARDED_HOST": "evil.example"}, None),
        ("auth.example.com", {}, None),
    ],
)
def test_host_of_a_request_counts_as_the_proxy_names_it(
    host: str, more: dict[str, str], expected: str | None
) -> None:
    """Only a trusted proxy replaces `Host`."""
    assert application_host(environ(host, **more)) == expected


@pytest.mark.parametrize(
    ("host", "gate", "expected"),
    [
        (APP, True, True),
        (APP, False, True),
        ("wiki.example.org:8443", True, False),
        ("wiki.example.org:8443", False, False),
        ("auth.example.com", True, False),
        ("other.example", True, False),
        # An application that asks by itself names any host.
        ("auth.example.com", False, True),
        ("127.0.0.1:5000", False, True),
    ],
)
def test_session_counts_on_its_own_host(
    host: str, gate: bool, expected: bool
) -> None:
    """A gate names the host that it guards."""
    more = {"HTTP_X_FORWARDED_HOST": host} if gate else {}
    more |= {"HTTP_X_FORWARDED_URI": "/"} if gate else {}
    assert is_for_host(APP, environ(host, **more)) is expected
    assert not is_for_host("removed.example", environ(host, **more))


@pytest.mark.parametrize(
    ("method", "path", "expected"),
    [
        ("GET", "/api/v1/auth_session/verify", True),
        ("GET", "/api/v1/users/me/", True),
        ("HEAD", "/api/v1/users/me", True),
        ("PUT", "/api/v1/users/me", False),
        ("GET", "/api/v1/users", False),
        ("GET", "/api/v1/users/me/../x", False),
        ("POST", "/vestibule/sign-out", True),
        ("GET", "/vestibule/session", True),
        ("GET", "/vestibule/other", False),
        ("GET", None, False),
    ],
)
def test_session_of_a_host_may_use_few_paths(
    method: str, path: str | None, expected: bool
) -> None:
    """It identifies the user, and signs out."""
    assert may_use_path(method, path) is expected


def test_begin_and_parse_are_each_others_opposite() -> None:
    """A path with a query and odd characters comes back unchanged."""
    path, state = "/a%20b/?x=1&return_to=/y;z#f", "0" * 64
    url = session_url(f"https://{APP}", path, state=state)
    assert parse_hand_over(url) == HandOver(f"https://{APP}", APP, state, path)
    assert state not in repr(parse_hand_over(url))
    assert parse_hand_over(url.replace(f"{APP}/", f"{APP}:443/")) is not None
    assert parse_hand_over(url.replace("&state", "&x=1&state")) is None
    assert parse_hand_over(None) is None
