#!/usr/bin/env python3
"""Three hosts of two domains behind nginx and Caddy: one sign-in, over TLS.

The sign-in host has the configuration of the guide, the applications have
the shipped gates.
"""

import re
from collections.abc import Callable, Iterator
from pathlib import Path
from time import monotonic
from typing import Any

import pytest
from playwright.sync_api import Browser as Chromium

from tests.browser.browser import Browser
from tests.browser.conftest import PAGES, add_user
from tests.browser.scenes import PASSWORD
from tests.e2e.forward_auth.certificates import write_certificate
from tests.e2e.forward_auth.deployment import Application as Upstream
from tests.e2e.forward_auth.proxies import (
    APPLICATION,
    VESTIBULE,
    Caddy,
    Nginx,
    Proxy,
    shipped,
)
from tests.serving import ROOT, Server
from vestibule.db.models.user import User

AUTH, APP = "auth.vestibule.test", "app.vestibule.test"
WIKI = "wiki.other.test"
COOKIE = "__Host-session"


class Hosts:
    """The sign-in host and the two applications, each behind a proxy."""

    def __init__(self, folder: Path) -> None:
        """Prepare the proxies, each with a port and a certificate."""
        self.proxies: dict[str, Proxy] = {}
        for host, kind in ((AUTH, Nginx), (APP, Nginx), (WIKI, Caddy)):
            own = folder / host
            own.mkdir()
            self.proxies[host] = kind(own)
            self.proxies[host].host = host
            self.proxies[host].tls = write_certificate(own)
            self.proxies[host].names = {
                f"server_name {name}.example.com;": f"server_name {host};"
                for name in ("auth", "app")
            }
        self.started: list[Any] = []

    def url(self, host: str) -> str:
        """Return the address of a host, with its port."""
        return f"https://{host}:{self.proxies[host].port}"

    def start(self, folder: Path) -> None:
        """Start the service, the application and the proxies."""
        listed = [f"{host}:{self.proxies[host].port}" for host in (APP, WIKI)]
        self.server = Server(
            folder,
            **PAGES
            | {
                "SESSION_NAME": COOKIE,
                "LOGIN_URL": f"{self.url(AUTH)}/sign-in",
                "APP_HOSTS": ",".join(listed),
                "TRUSTED_PROXIES": "127.0.0.1",
            },
        ).start()
        self.started.append(self.server)
        upstream = Upstream()
        self.started.append(upstream)
        service = {VESTIBULE: f"127.0.0.1:{self.server.port}"}
        gate = service | {APPLICATION: f"127.0.0.1:{upstream.port}"}
        page = (ROOT / "docs/several-hosts.md").read_text()
        (sign_in,) = re.findall(r"```nginx\n(.*?)```", page, re.DOTALL)
        sign_in = re.sub(r" +ssl_certificate.*\n", "", sign_in)
        sign_in = sign_in.replace("listen 443 ssl;", Nginx.listens)
        for host, text, replaced in (
            (AUTH, sign_in, service),
            (APP, shipped("nginx.conf"), gate),
            (WIKI, shipped("Caddyfile"), gate),
        ):
            port = self.proxies[host].port
            self.proxies[host].start(text, replaced)
            self.started.append(self.proxies[host])
            # The settings of the service name the port.
            assert self.proxies[host].port == port

    def stop(self) -> None:
        """Stop all that was started."""
        for each in reversed(self.started):
            each.stop()


@pytest.fixture
def hosts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Hosts]:
    """Run the three hosts."""
    found = Hosts(tmp_path)
    try:
        found.start(tmp_path)
        monkeypatch.setenv("DATABASE_URL", found.server.env["DATABASE_URL"])
        yield found
    finally:
        found.stop()


@pytest.fixture
def open_page(chromium: Chromium) -> Iterator[Callable[[Hosts], Browser]]:
    """Return a function that opens a browser, closed after the test."""
    browsers: list[Browser] = []

    def start(hosts: Hosts) -> Browser:
        """Open a browser that may visit each of the hosts."""
        browsers.append(
            Browser(chromium, hosts.url(AUTH), ignore_https_errors=True)
        )
        browsers[-1].site = "https:/"
        return browsers[-1]

    yield start
    for browser in browsers:
        browser.close()


def sign_in(browser: Browser, user: User) -> None:
    """Fill in the sign-in form that is open."""
    browser.expect_path("/sign-in")
    browser.fill(email=str(user.email), password=PASSWORD)
    browser.click_button("Sign in")


def cookies(browser: Browser, url: str) -> dict[str, str]:
    """Return the cookies of a host by name; each is for that host alone."""
    found = browser.context.cookies([url])
    assert all(not each["domain"].startswith(".") for each in found)
    return {each["name"]: each["value"] for each in found}


def redirects(browser: Browser, url: str) -> list[str]:
    """Load a page; return the hosts of the redirects on the way there."""
    browser.responses.clear()
    browser.page.goto(url)
    return [
        re.sub(r"https://([^:/]+).*", r"\1", response.url)
        for response in browser.responses
        if 300 <= response.status < 400
    ]


def test_two_domains_share_one_sign_in_and_lose_it_together(
    hosts: Hosts, open_page: Callable[[Hosts], Browser]
) -> None:
    """Each host has a cookie of its own; one sign-out closes all."""
    bob, browser = add_user("bob@example.com"), open_page(hosts)
    app, wiki = hosts.url(APP), hosts.url(WIKI)
    browser.page.goto(f"{app}/page?number=1")
    sign_in(browser, bob)
    browser.page.wait_for_url(f"{app}/page?number=1")
    browser.page.goto(f"{wiki}/other")
    assert browser.page.url == f"{wiki}/other"
    assert bob.id in browser.page.content()
    values = {
        cookies(browser, hosts.url(host))[COOKIE] for host in (AUTH, APP, WIKI)
    }
    assert len(values) == 3
    browser.page.goto(f"{hosts.url(AUTH)}/account/sessions")
    browser.expect_text("Applications:")
    # The application links to this address of its own host.
    browser.page.goto(f"{wiki}/vestibule/sign-out")
    browser.expect_path("/sign-out")
    browser.page.locator("main button").click()
    browser.expect_path("/signed-out")
    for url in (app, wiki):
        browser.page.goto(f"{url}/")
        browser.expect_path("/sign-in")
    assert hosts.server.output.count("Traceback") == 0


def test_hand_over_is_two_redirects_and_takes_little_of_our_time(
    hosts: Hosts, open_page: Callable[[Hosts], Browser]
) -> None:
    """The gate and its host lead away, the hand-over leads back."""
    bob, browser = add_user("bob@example.com"), open_page(hosts)
    browser.page.goto(f"{hosts.url(AUTH)}/sign-in")
    sign_in(browser, bob)
    browser.expect_path("/account")
    began = monotonic()
    assert redirects(browser, f"{hosts.url(APP)}/") == [APP, APP, AUTH, APP]
    print(f"with the browser and the proxies: {monotonic() - began:.3f} s")
    assert redirects(browser, f"{hosts.url(APP)}/") == []


def test_tabs_that_open_at_once_all_show_their_page(
    hosts: Hosts, open_page: Callable[[Hosts], Browser]
) -> None:
    """A browser that starts again opens its tabs in parallel."""
    bob, browser = add_user("bob@example.com"), open_page(hosts)
    browser.page.goto(f"{hosts.url(AUTH)}/sign-in")
    sign_in(browser, bob)
    browser.expect_path("/account")
    urls = [f"{hosts.url(APP)}/tab{number}" for number in range(4)]
    tabs = [browser.context.new_page() for _ in urls]
    for tab, url in zip(tabs, urls, strict=True):
        tab.evaluate("(url) => { setTimeout(() => location = url, 50) }", url)
    for tab, url in zip(tabs, urls, strict=True):
        tab.wait_for_url(url)
        assert bob.id in tab.content()
