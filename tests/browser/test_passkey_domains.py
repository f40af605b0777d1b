#!/usr/bin/env python3
"""Passkeys on several hosts over TLS: siblings fail, related origins work.

All hosts lead to one service, behind Caddy. Chromium trusts its certificate
by its key, because it has no passkeys on pages with an invalid one.
"""

import base64
import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    PublicFormat,
)
from playwright.sync_api import Browser as Chromium

from tests.browser.browser import Browser
from tests.browser.conftest import PAGES, add_user
from tests.browser.passkey_device import (
    EMAIL,
    NO_ANSWER,
    REFUSED,
    Device,
    enroll,
    sign_out,
    without_autofill,
)
from tests.chromium import ARGUMENTS, PROGRAM
from tests.e2e.forward_auth.certificates import write_certificate
from tests.e2e.forward_auth.proxies import VESTIBULE, Caddy
from tests.serving import Server

AUTH = "https://auth.vestibule.test"
SIBLING = "https://app.vestibule.test"
RELATED = "https://auth.other.test"


class Hosts(Caddy):
    """Caddy with all three hosts on one port."""

    listens = "ADDRESSES {"

    def address(self) -> str:
        """Return the addresses of the hosts, and the certificate."""
        assert self.tls is not None
        hosts = (AUTH, SIBLING, RELATED)
        names = ", ".join(f"{host}:{self.port}" for host in hosts)
        return f"{names} {{\n\ttls {self.tls[0]} {self.tls[1]}"


def fingerprint(certificate: Path) -> str:
    """Return the hash of a certificate's key, as Chromium takes it."""
    key = x509.load_pem_x509_certificate(certificate.read_bytes())
    raw = key.public_key().public_bytes(
        Encoding.DER, PublicFormat.SubjectPublicKeyInfo
    )
    return base64.b64encode(hashlib.sha256(raw).digest()).decode()


@pytest.fixture
def hosts(tmp_path: Path) -> Iterator[Hosts]:
    """Prepare the proxy and its certificate."""
    proxy = Hosts(tmp_path)
    proxy.tls = write_certificate(tmp_path)
    yield proxy
    proxy.stop()


@contextmanager
def opened(
    chromium: Chromium, hosts: Hosts, folder: Path, **settings: str
) -> Iterator[tuple[Browser, Server]]:
    """Run the service, and a Chromium that reaches the hosts at port 443."""
    server = Server(
        folder,
        **PAGES,
        PUBLIC_URL=AUTH,
        TRUSTED_PROXIES="127.0.0.1",
        **settings,
    ).start()
    text = "ADDRESSES {\n\treverse_proxy 127.0.0.1:5000\n}\n"
    hosts.start(text, {VESTIBULE: f"127.0.0.1:{server.port}"})
    assert hosts.tls is not None
    to = f"127.0.0.1:{hosts.port}"
    own = chromium.browser_type.launch(
        executable_path=PROGRAM,
        args=[
            *ARGUMENTS[:-1],
            f"--host-resolver-rules=MAP *.test {to}",
            "--ignore-certificate-errors-spki-list="
            + fingerprint(hosts.tls[0]),
        ],
    )
    browser = without_autofill(Browser(own, AUTH))
    browser.site = "https:/"
    try:
        yield browser, server
        browser.close()
    finally:
        own.close()
        assert server.stop() == 0


def sign_in_at(browser: Browser, host: str) -> None:
    """Open the sign-in page of a host, and use a passkey there."""
    browser.url = host
    browser.open("/sign-in")
    browser.click_button("Sign in with a passkey")


def test_sibling_host_cannot_use_a_passkey(
    chromium: Chromium,
    hosts: Hosts,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The browser refuses it: the passkey is for the other host alone."""
    with opened(chromium, hosts, tmp_path) as (browser, server):
        monkeypatch.setenv("DATABASE_URL", server.env["DATABASE_URL"])
        add_user(EMAIL)
        device = Device(browser)
        enroll(browser)
        assert device.credentials()[0]["rpId"] == "auth.vestibule.test"
        sign_out(browser)
        sign_in_at(browser, SIBLING)
        browser.expect_text(NO_ANSWER)
        sign_in_at(browser, AUTH)
        browser.expect_path("/account")
        assert "passkey_refused" not in "".join(server.output)


def test_sibling_host_of_a_common_domain_is_refused_by_its_origin(
    chromium: Chromium,
    hosts: Hosts,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The browser signs for it, because the RP ID is the whole domain."""
    with opened(
        chromium,
        hosts,
        tmp_path,
        PASSKEY_RP_ID="vestibule.test",
        PASSKEY_ORIGINS=AUTH,
    ) as (browser, server):
        monkeypatch.setenv("DATABASE_URL", server.env["DATABASE_URL"])
        add_user(EMAIL)
        device = Device(browser)
        enroll(browser)
        assert device.credentials()[0]["rpId"] == "vestibule.test"
        sign_out(browser)
        sign_in_at(browser, SIBLING)
        browser.expect_text(REFUSED)
        assert '"reason":"origin"' in "".join(server.output).replace(" ", "")
        sign_in_at(browser, AUTH)
        browser.expect_path("/account")


@pytest.mark.parametrize("is_listed", [True, False])
def test_host_of_another_domain_uses_a_passkey_if_it_is_listed(
    chromium: Chromium,
    hosts: Hosts,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    is_listed: bool,
) -> None:
    """Chromium asks `/.well-known/webauthn` of the RP ID's host."""
    listed = f"{AUTH},{RELATED}" if is_listed else AUTH
    with opened(chromium, hosts, tmp_path, PASSKEY_ORIGINS=listed) as (
        browser,
        server,
    ):
        monkeypatch.setenv("DATABASE_URL", server.env["DATABASE_URL"])
        add_user(EMAIL)
        Device(browser)
        enroll(browser)
        sign_out(browser)
        sign_in_at(browser, RELATED)
        if is_listed:
            browser.expect_path("/account")
        else:
            browser.expect_text(NO_ANSWER)
        assert "passkey_refused" not in "".join(server.output)
