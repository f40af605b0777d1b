#!/usr/bin/env python3
"""Settings: which values each accepts, and when it is read."""

import os
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from vestibule.core import (
    access_settings,
    mail_settings,
    page_settings,
    settings,
)
from vestibule.core.errors import ConfigurationError

#: Text that an environment can hold: no NUL, and nothing but UTF-8.
ENVIRONMENT_TEXT = st.text(
    st.characters(exclude_characters="\0", exclude_categories=["Cs"])
)
NO_NUMBERS = [
    " ",
    "a",
    "1.5",
    "-1",
    "+1",
    " 1",
    "1_0",
    "0x10",
    "1e3",
    "\u0663",
    "\u00b2",
    "9" * 13,
    "9" * 5000,
]


@pytest.mark.parametrize(
    ("setting", "value"),
    [
        (settings.API_HOST, "0.0.0.0"),
        (settings.API_PORT, 5000),
        (settings.AUTH_TYPE, None),
        (settings.SESSION_NAME, None),
        (settings.SESSION_DURATION, 0),
        (settings.SESSION_CACHE_MAX, 20_000),
        (settings.SESSION_PURGE_INTERVAL, 60),
        (settings.DATABASE_URL, "sqlite:///vestibule.db"),
        (settings.DATABASE_TIMEOUT, 5000),
        (settings.WORKERS, 1),
        (settings.BLOCKING_THREADS, 16),
        (settings.PASSWORD_PROFILE, "owasp"),
        (settings.PASSWORD_MIN_LENGTH, 8),
        (settings.LOG_LEVEL, "info"),
    ],
    ids=lambda given: getattr(given, "name", None),
)
def test_defaults_equal_the_documentation(
    setting: settings.Setting[Any],
    value: object,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A setting that is not set has its documented default."""
    monkeypatch.delenv(setting.name, raising=False)
    assert setting.read() == value
    assert setting in settings.ALL


def test_every_setting_is_listed_once() -> None:
    """The list that documentation and start go by is complete."""
    defined = [
        value
        for module in (
            settings,
            access_settings,
            page_settings,
            mail_settings,
        )
        for value in vars(module).values()
        if isinstance(value, settings.Setting)
    ]
    assert sorted(s.name for s in settings.ALL) == sorted(
        s.name for s in defined
    )
    assert all(s.meaning.endswith(".") for s in settings.ALL)


@pytest.mark.parametrize(
    ("setting", "least", "most"),
    [
        (settings.API_PORT, 1, 65_535),
        (settings.SESSION_CACHE_MAX, 2, 10_000_000),
        (settings.SESSION_PURGE_INTERVAL, 1, 86_400),
        (settings.DATABASE_TIMEOUT, 1, 60_000),
        (settings.WORKERS, 1, 256),
        (settings.BLOCKING_THREADS, 4, 1024),
        (settings.PASSWORD_MIN_LENGTH, 1, 64),
    ],
    ids=lambda given: getattr(given, "name", None),
)
def test_numbers_are_bounded(
    setting: settings.Setting[int],
    least: int,
    most: int,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Whole numbers within their bounds are taken, all else is refused."""
    for number in (least, least + 1, most):
        monkeypatch.setenv(setting.name, f"00{number}")
        assert setting.read() == number
    for text in [*NO_NUMBERS, str(least - 1), str(most + 1)]:
        monkeypatch.setenv(setting.name, text)
        with pytest.raises(ConfigurationError) as refused:
            setting.read()
        assert refused.value.name == setting.name
        assert f"from {least} to {most}" in str(refused.value)
        assert repr(text) in str(refused.value)


@pytest.mark.parametrize(
    ("setting", "known"),
    [
        (settings.PASSWORD_PROFILE, ["owasp", "rfc9106"]),
        (settings.LOG_LEVEL, ["debug", "info", "warning", "error"]),
    ],
    ids=lambda given: getattr(given, "name", None),
)
def test_unknown_word_is_refused(
    setting: settings.Setting[str],
    known: list[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The error lists the known words."""
    for word in known:
        monkeypatch.setenv(setting.name, word)
        assert setting.read() == word
    for text in [known[0].upper(), known[0] + " ", "x"]:
        monkeypatch.setenv(setting.name, text)
        with pytest.raises(ConfigurationError, match=", ".join(known)):
            setting.read()


@pytest.mark.parametrize(
    "setting",
    [settings.API_HOST, settings.DATABASE_URL],
    ids=lambda given: given.name,
)
def test_text_is_taken_as_it_is(
    setting: settings.Setting[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Blanks are kept."""
    monkeypatch.setenv(setting.name, " a b ")
    assert setting.read() == " a b "


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("60", 60),
        ("-5", -5),
        ("0", 0),
        (" 7\n", 7),
        ("9" * 4000, None),
        ("", 0),
        ("a", None),
        ("1.5", None),
        ("9" * 5000, None),
    ],
)
def test_duration_is_any_integer(
    text: str, seconds: int | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Any integer that Python reads is accepted."""
    monkeypatch.setenv("SESSION_DURATION", text)
    if seconds is None and len(text) == 4000:
        seconds = int(text)
    assert settings.SESSION_DURATION.read() == seconds


@pytest.mark.parametrize("name", ["_my_session_id", "a", "__Host-s", "a.b"])
def test_cookie_name_is_a_token(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A token is a name; nothing at all counts as unset."""
    monkeypatch.setenv("SESSION_NAME", name)
    assert settings.SESSION_NAME.read() == name
    monkeypatch.setenv("SESSION_NAME", "")
    assert settings.SESSION_NAME.read() is None


@pytest.mark.parametrize(
    "name", [" ", "a b", "a=b", "a;b", "a,b", '"a"', "a\n", "\u00e9", "a\tb"]
)
def test_invalid_cookie_name_is_refused(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Such a name would never come back, or would split the header."""
    monkeypatch.setenv("SESSION_NAME", name)
    with pytest.raises(
        ConfigurationError, match="SESSION_NAME: must be the name"
    ):
        settings.SESSION_NAME.read()


def test_auth_type_is_returned_unchecked(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Whether there is one of that name is known further up."""
    for text in ["session_auth", "x"]:
        monkeypatch.setenv("AUTH_TYPE", text)
        assert settings.AUTH_TYPE.read() == text


def test_changed_environment_counts_at_once() -> None:
    """Nothing is kept from one call to the next."""
    with pytest.MonkeyPatch.context() as changed:
        for port in ("1", "2"):
            changed.setenv("API_PORT", port)
            assert settings.API_PORT.read() == int(port)
    assert settings.API_PORT.read() == 5000


@given(ENVIRONMENT_TEXT)
@example("\u00e9" * 200)
def test_any_text_is_a_value_or_a_configuration_error(text: str) -> None:
    """No environment brings another error out of a parser."""
    for setting in settings.ALL:
        with pytest.MonkeyPatch.context() as changed:
            changed.setenv(setting.name, text)
            assert os.environ[setting.name] == text
            try:
                value = setting.read()
            except ConfigurationError as refused:
                assert refused.name == setting.name
            else:
                assert value is None or isinstance(value, int | str | tuple)


@pytest.mark.parametrize(
    ("setting", "text", "value"),
    [
        (settings.BASE_PATH, "", ""),
        (settings.BASE_PATH, "/", ""),
        (settings.BASE_PATH, "/auth/", "/auth"),
        (settings.BASE_PATH, "/a/b-1_2.~x", "/a/b-1_2.~x"),
        (settings.COOKIE_DOMAIN, "", None),
        (settings.COOKIE_DOMAIN, ".Example.COM", "example.com"),
        (settings.COOKIE_DOMAIN, "xn--bcher-kva.example", ...),
        (page_settings.CLEAR_SITE_DATA, "none", ()),
        (page_settings.CLEAR_SITE_DATA, "storage", ("storage",)),
        (
            page_settings.CLEAR_SITE_DATA,
            "cache, storage",
            ("cache", "storage"),
        ),
        (settings.CORS_ORIGINS, "none", ()),
        (
            settings.CORS_ORIGINS,
            "HTTPS://A.example:443, http://b.example:80,http://c.example:443",
            ("https://a.example", "http://b.example", "http://c.example:443"),
        ),
    ],
)
def test_paths_domains_and_lists_are_written_in_one_way(
    setting: settings.Setting[Any],
    text: str,
    value: object,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """They are compared with what browsers send."""
    monkeypatch.setenv(setting.name, text)
    assert setting.read() == (text if value is ... else value)


@pytest.mark.parametrize(
    ("setting", "texts"),
    [
        (
            settings.BASE_PATH,
            ["auth", "//auth", "/a//b", "/..", "/a/../b", "/a b", "/a?b"],
        ),
        (settings.BASE_PATH, ["/a%2fb", "/\u00e9", "/a\\b", "/" + "a" * 300]),
        (
            settings.COOKIE_DOMAIN,
            ["localhost", "com", "192.0.2.1", "[::1]", "a.example:80"],
        ),
        (
            settings.COOKIE_DOMAIN,
            ["https://a.example", "a..example", "-a.example", "a.example/"],
        ),
        (settings.COOKIE_DOMAIN, ["*.a.example", "a.example;x", "a.1", "."]),
        (page_settings.CLEAR_SITE_DATA, ["cookies", "*", '"cache"', "on"]),
        (settings.CORS_ORIGINS, ["*,https://a.example", "null", "a.example"]),
        (settings.CORS_ORIGINS, ["https://a.example/", "https://*.example"]),
    ],
)
def test_bad_paths_domains_and_lists_are_refused(
    setting: settings.Setting[Any],
    texts: list[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """What browsers would reject or misread ends the start."""
    for text in texts:
        monkeypatch.setenv(setting.name, text)
        with pytest.raises(ConfigurationError, match=setting.name):
            setting.read()


#: The settings whose defaults depend on the profile, under each profile.
PROFILE_DEFAULTS: list[tuple[settings.Setting[Any], tuple[object, ...]]] = [
    (settings.AUTH_TYPE, (None, "session_db_auth", "session_db_auth")),
    (settings.SESSION_NAME, (None, "_my_session_id", "__Host-session")),
    (settings.SESSION_IDLE_TIMEOUT, (0, 7_200, 1_800)),
    (settings.SESSION_MAX_AGE, (0, 43_200, 43_200)),
    (settings.SESSION_TOKEN, ("uuid4", "secret256", "secret256")),
    (settings.SESSION_NAME_HOST_PREFIX, (False, False, True)),
    (settings.COOKIE_SECURE, ("auto", "auto", "always")),
    (settings.CORS_ORIGINS, (("*",), (), ())),
    (settings.LOGIN_GENERIC_ERRORS, (False, True, True)),
    (settings.REAUTH_TO_DELETE, (False, False, True)),
    (settings.AUTHZ_POLICY, ("open", "self", "self")),
    (settings.PASSWORD_MIN_LENGTH, (8, 8, 15)),
    (settings.PASSWORD_BLOCKLIST, ("changes", "always", "always")),
    (settings.METRICS, (True, True, False)),
    (settings.METRICS_NETWORKS, (None, (), ())),
    (page_settings.CLEAR_SITE_DATA, ((), (), ("cache", "storage"))),
    (page_settings.API_DOCS, (True, True, False)),
    (access_settings.REQUIRE_MFA, ("off", "off", "admins")),
    (access_settings.MFA_GRACE, (14, 14, 0)),
]


@pytest.mark.parametrize(
    ("number", "profile"),
    [(0, "contract"), (1, "standard"), (2, "hardened")],
)
def test_profile_sets_its_defaults(
    monkeypatch: pytest.MonkeyPatch, number: int, profile: str
) -> None:
    """Other settings have the same default under every profile."""
    for each in settings.ALL:
        monkeypatch.delenv(each.name, raising=False)
    monkeypatch.setenv("SECURITY_PROFILE", profile)
    for setting, defaults in PROFILE_DEFAULTS:
        assert setting.read() == defaults[number], setting.name
    dependent = {setting.name for setting, _ in PROFILE_DEFAULTS}
    for each in settings.ALL:
        if each.name not in dependent:
            assert each.standard is None and each.hardened is None


@pytest.mark.parametrize("name", ["PUBLIC_URL", "PASSWORD_BREACH_URL"])
@pytest.mark.parametrize(
    "text", ["http://", "http://[", "https:///x", "https://:443/"]
)
def test_address_without_a_host_is_refused(
    name: str, text: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It would be found only when the address is used."""
    setting = next(one for one in settings.ALL if one.name == name)
    monkeypatch.setenv(name, text)
    with pytest.raises(ConfigurationError, match=r"must name a host|IPv6"):
        setting.read()
