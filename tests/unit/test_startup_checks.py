#!/usr/bin/env python3
"""Startup checks: what prevents a start, and what is a warning."""

import pytest

from vestibule.checks.startup import (
    check_settings,
    startup_warnings,
)
from vestibule.core import page_settings, settings
from vestibule.core.errors import ConfigurationError
from vestibule.db import drivers
from vestibule.db.models.user import User
from vestibule.mechanisms import MECHANISMS, mechanism_for

pytestmark = pytest.mark.usefixtures("on_sqlite")

NO_USER = "there is no user yet; hint:"
NEVER = "sessions never expire"


def _advice(name: str | None) -> str:
    """Return all findings for the mechanism of this name."""
    return "\n".join(startup_warnings(mechanism_for(name)))


@pytest.mark.parametrize("name", [None, *MECHANISMS])
def test_good_settings_start(name: str | None) -> None:
    """Each mechanism can be served with the defaults."""
    check_settings(mechanism_for(name))


@pytest.mark.parametrize("setting", settings.ALL, ids=lambda s: s.name)
def test_invalid_setting_prevents_the_start(
    setting: settings.Setting[object], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A bad value ends the start, not a request hours later."""
    monkeypatch.setenv(setting.name, "\u00e9 ")
    if setting in (
        settings.API_HOST,
        settings.AUTH_TYPE,
        settings.DATABASE_URL,
        settings.SESSION_DURATION,
        settings.PASSWORD_CONTEXT_WORDS,
        settings.ENV_FILE,
        page_settings.APP_NAME,
        page_settings.BRAND_NAME,
        # Only read where there are pages.
        page_settings.BRAND_LOGO,
    ):
        check_settings(None)
    else:
        with pytest.raises(ConfigurationError, match=setting.name):
            check_settings(None)


@pytest.mark.parametrize(
    "name",
    ["SESSION_DURATON", "SESSIO_NAME", "WORKER", "AUHT_TYPE", "METRIKS"],
)
def test_misspelled_setting_is_a_warning(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A name one typing error away from a setting is shown with it."""
    assert name not in _advice("session_db_auth")
    monkeypatch.setenv(name, "60")
    assert f"the environment sets {name}, which is no setting" in _advice(
        "session_db_auth"
    )


@pytest.mark.parametrize("name", ["WORKERSES", "MY_SESSION_NAME", "PATH"])
def test_other_variable_is_no_warning(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Names further away belong to other programs."""
    monkeypatch.setenv(name, "60")
    assert name not in _advice("session_db_auth")


@pytest.mark.parametrize("setting", settings.ALL, ids=lambda s: s.name)
def test_empty_variable_counts_as_unset(
    setting: settings.Setting[object], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Docker compose passes unset variables on as empty ones."""
    monkeypatch.delenv(setting.name, raising=False)
    default = setting.read()
    monkeypatch.setenv(setting.name, "")
    assert setting.read() == default


def test_empty_list_that_opens_is_a_warning(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """An empty CORS_ORIGINS may be meant as `none`, so the start says so."""
    monkeypatch.setenv("CORS_ORIGINS", "")
    assert "CORS_ORIGINS is empty, which counts as unset; hint:" in _advice(
        "session_db_auth"
    )


@pytest.mark.parametrize("value", ["tcp://10.96.0.1:80", "udp://[::1]:53"])
def test_port_set_by_kubernetes_is_explained(
    value: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A service named `api` sets API_PORT to its address."""
    monkeypatch.setenv("API_PORT", value)
    with pytest.raises(ConfigurationError, match="enableServiceLinks: false"):
        settings.API_PORT.read()


@pytest.mark.parametrize("path", ["/api", "/api/v1", "/healthz", "/metrics"])
def test_base_path_that_is_an_own_path_prevents_the_start(
    path: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The service's own paths would be below it twice."""
    monkeypatch.setenv("BASE_PATH", path)
    with pytest.raises(ConfigurationError, match="BASE_PATH"):
        check_settings(None)


def test_open_registration_with_open_policy_prevents_the_start(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A user who registers may do what the policy allows members."""
    monkeypatch.setenv("WEB_PAGES", "on")
    monkeypatch.setenv("REGISTRATION", "open")
    mechanism = mechanism_for("session_db_auth")
    with pytest.raises(ConfigurationError, match="AUTHZ_POLICY=self"):
        check_settings(mechanism)
    monkeypatch.setenv("AUTHZ_POLICY", "self")
    check_settings(mechanism)


def test_invalid_signing_key_prevents_the_start(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The start ends before workers start, and does not show the key."""
    monkeypatch.setenv("IDENTITY_HEADER", "on")
    monkeypatch.setenv("IDENTITY_SIGNING_KEY", "-----BEGIN SECRET-----")
    with pytest.raises(
        ConfigurationError, match="IDENTITY_SIGNING_KEY"
    ) as refused:
        check_settings(None)
    assert "SECRET" not in str(refused.value)


@pytest.mark.parametrize(
    ("name", "shared"),
    [
        (None, True),
        ("auth", True),
        ("basic_auth", True),
        ("session_auth", False),
        ("session_exp_auth", False),
        ("session_db_auth", True),
    ],
)
def test_sessions_in_memory_allow_one_worker(
    name: str | None, shared: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Other workers would not have the sessions."""
    monkeypatch.setenv("WORKERS", "2")
    if shared:
        check_settings(mechanism_for(name))
    else:
        with pytest.raises(
            ConfigurationError, match="WORKERS: must be 1, not 2"
        ):
            check_settings(mechanism_for(name))


def test_missing_mechanism_is_a_warning() -> None:
    """Without a mechanism any client may do anything."""
    assert "every route is open to anyone" in _advice(None)
    assert "every route" not in _advice("auth")


def test_sessions_without_end_are_a_warning(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """So is a missing cookie's name; nothing, if all is well."""
    User().save()
    for name in ("session_auth", "session_exp_auth", "session_db_auth"):
        assert NEVER in _advice(name)
        assert "SESSION_NAME is not set: no user can log in" in _advice(name)
    monkeypatch.setenv("SESSION_NAME", "s")
    for duration, ends in [
        ("60", True),
        ("0", False),
        ("-1", False),
        ("a", False),
    ]:
        monkeypatch.setenv("SESSION_DURATION", duration)
        for name in ("session_exp_auth", "session_db_auth"):
            assert (NEVER not in _advice(name)) is ends
    assert NEVER in _advice("session_auth")
    monkeypatch.setenv("SESSION_DURATION", "60")
    assert _advice("session_db_auth") == ""
    assert _advice("basic_auth") == ""


def test_empty_database_is_a_warning() -> None:
    """With the command that adds the first user."""
    assert NO_USER in _advice("basic_auth")
    User().save()
    assert NO_USER not in _advice("basic_auth")


def test_empty_database_is_no_warning_with_pages(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The server prints where to make the first admin."""
    monkeypatch.setenv("WEB_PAGES", "on")
    assert NO_USER not in _advice("session_db_auth")
    assert NO_USER in _advice("basic_auth")


def test_unsound_sqlite_is_a_warning(monkeypatch: pytest.MonkeyPatch) -> None:
    """The operator learns why writing is slow."""
    assert "write-ahead" not in _advice("basic_auth")
    monkeypatch.setattr(drivers, "FIRST_SAFE_WAL_VERSION", (99, 0, 0))
    assert "may corrupt a write-ahead log" in _advice("basic_auth")


@pytest.mark.parametrize(
    ("more", "is_warned"),
    [
        ({"SECURITY_PROFILE": "hardened"}, True),
        ({"COOKIE_SECURE": "always"}, True),
        ({"SESSION_NAME": "__Host-session"}, True),
        ({"SESSION_NAME": "__Secure-session"}, True),
        ({"SESSION_NAME": "__SECURE-session"}, True),
        ({"SESSION_NAME": "__host-session"}, True),
        ({"SESSION_NAME": "session"}, False),
        (
            {"COOKIE_SECURE": "always", "TRUSTED_PROXIES": "127.0.0.1"},
            False,
        ),
    ],
)
def test_cookie_that_plain_http_loses_is_a_warning(
    more: dict[str, str], is_warned: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without a trusted proxy the server does not know of any TLS."""
    for name, value in more.items():
        monkeypatch.setenv(name, value)
    assert ("only over TLS" in _advice("session_db_auth")) is is_warned
    assert "only over TLS" not in _advice("basic_auth")


@pytest.mark.parametrize(
    ("domain", "login_url", "hosts", "lost"),
    [
        (None, "/sign-in", "app.example.com", ""),
        (None, "https://a.example.com/", "", ""),
        (None, "https://a.example.com/", "a.example.com:8443", ""),
        (None, "https://a.example.com/", "b.example.com", "b.example.com"),
        ("example.com", "https://a.example.com/", "b.example.com", ""),
        ("example.com", "https://example.com/", "x.y.example.com:81", ""),
        ("example.com", "/sign-in", "b.example.com", ""),
        ("example.com", "/sign-in", "b.example.org", "b.example.org"),
        ("example.com", "/sign-in", "badexample.com", "badexample.com"),
        ("example.com", "https://a.example.org/", "", "a.example.org"),
    ],
)
def test_hosts_without_the_session_cookie_are_a_warning(
    domain: str | None,
    login_url: str,
    hosts: str,
    lost: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Users would be sent to the sign-in page again and again."""
    if domain is not None:
        monkeypatch.setenv("COOKIE_DOMAIN", domain)
    monkeypatch.setenv("LOGIN_URL", login_url)
    monkeypatch.setenv("ALLOWED_RETURN_HOSTS", hosts)
    found = [
        line
        for line in _advice("session_db_auth").splitlines()
        if "no session cookie" in line
    ]
    assert len(found) == bool(lost)
    assert all(f"no session cookie to {lost};" in line for line in found)


def test_cookie_of_a_domain_with_a_host_prefix_in_lower_case_is_refused(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Browsers compare prefixes without regard to case."""
    monkeypatch.setenv("COOKIE_DOMAIN", "example.com")
    monkeypatch.setenv("SESSION_NAME", "__host-session")
    with pytest.raises(ConfigurationError, match="COOKIE_DOMAIN"):
        check_settings(mechanism_for("session_db_auth"))


@pytest.mark.parametrize("profile", ["contract", "hardened"])
def test_cookie_of_a_domain_with_a_host_prefix_prevents_the_start(
    profile: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Browsers would reject the cookie without a word."""
    monkeypatch.setenv("SECURITY_PROFILE", profile)
    monkeypatch.setenv("SESSION_NAME", "__Host-session")
    mechanism = mechanism_for("session_db_auth")
    check_settings(mechanism)
    monkeypatch.setenv("COOKIE_DOMAIN", "example.com")
    with pytest.raises(ConfigurationError, match="COOKIE_DOMAIN"):
        check_settings(mechanism)
    monkeypatch.setenv("SESSION_NAME_HOST_PREFIX", "off")
    monkeypatch.setenv("SESSION_NAME", "__Secure-session")
    check_settings(mechanism)
