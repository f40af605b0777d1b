#!/usr/bin/env python3
"""The settings of passkeys: RP ID and origins."""

import pytest

from vestibule.accounts.passkeys import Site, site
from vestibule.checks.sign_in import check_passkey_settings
from vestibule.core.errors import ConfigurationError
from vestibule.core.host_types import passkey_origins, rp_id

URL, RP_ID = "PUBLIC_URL", "PASSKEY_RP_ID"
ORIGINS = "PASSKEY_ORIGINS"


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ({}, None),
        (
            {URL: "https://Auth.Example.com/auth"},
            Site("auth.example.com", ("https://auth.example.com",)),
        ),
        (
            {URL: "https://auth.example.com:443"},
            Site("auth.example.com", ("https://auth.example.com",)),
        ),
        (
            {URL: "https://auth.example.com:8443", RP_ID: "Example.com"},
            Site("example.com", ("https://auth.example.com:8443",)),
        ),
        (
            {URL: "http://localhost:5000"},
            Site("localhost", ("http://localhost:5000",)),
        ),
        (
            {
                URL: "https://auth.example.com",
                ORIGINS: "https://a.example, https://b.example:444",
            },
            Site(
                "auth.example.com",
                ("https://a.example", "https://b.example:444"),
            ),
        ),
        ({URL: "http://auth.example.com"}, None),
        ({URL: "https://192.0.2.1"}, None),
        ({URL: "http://127.0.0.1:5000"}, None),
    ],
)
def test_site_follows_from_the_settings(
    monkeypatch: pytest.MonkeyPatch,
    settings: dict[str, str],
    expected: Site | None,
) -> None:
    """Without https and a domain there are no passkeys."""
    for name, value in settings.items():
        monkeypatch.setenv(name, value)
    assert site() == expected
    check_passkey_settings()


@pytest.mark.parametrize(
    "settings",
    [
        {RP_ID: "example.com"},
        {RP_ID: "example.com", URL: "http://example.com"},
        {ORIGINS: "https://a.example"},
    ],
)
def test_half_a_configuration_is_refused(
    monkeypatch: pytest.MonkeyPatch, settings: dict[str, str]
) -> None:
    """The start fails, and names the setting."""
    for name, value in settings.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(ConfigurationError, match=RP_ID):
        check_passkey_settings()


@pytest.mark.parametrize(
    "text",
    [
        "*",
        "http://a.example",
        "https://192.0.2.1",
        "https://a.example/",
        "a.example",
        "https://a.example,https://a.example:443",
        ",".join(f"https://a{number}.example" for number in range(6)),
        "https://localhost.example.-",
    ],
)
def test_origin_that_no_browser_accepts_is_refused(text: str) -> None:
    """Each is exact, with https and a domain; at most five domains."""
    with pytest.raises(ValueError, match="must"):
        passkey_origins(text)


def test_subdomains_count_once() -> None:
    """Browsers count the names of domains, not of hosts."""
    text = ",".join(f"https://a{number}.b.example" for number in range(9))
    assert len(passkey_origins(text)) == 9


@pytest.mark.parametrize(
    "text", ["com", "192.0.2.1", "https://a.example", "a_b.example", "a.b:80"]
)
def test_rp_id_is_a_domain(text: str) -> None:
    """It has no scheme and no port, and is no address."""
    with pytest.raises(ValueError, match="must be a domain"):
        rp_id(text)
