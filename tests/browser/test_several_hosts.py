#!/usr/bin/env python3
"""Three hosts of one domain: one sign-in, and pages that use the API."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser as Chromium

from tests.browser.browser import Browser
from tests.browser.conftest import PAGES, add_user
from tests.browser.scenes import PASSWORD
from tests.e2e.forward_auth.proxies import Nginx
from tests.serving import COOKIE, Server
from vestibule.db.models.user import User

#: `tests.chromium` leads all of its hosts to this machine.
DOMAIN = "vestibule.test"
_NGINX = """
server {
    listen 80;
    server_name auth.DOMAIN;
    location / {
        proxy_pass http://SERVER;
        proxy_set_header Host $http_host;
        proxy_set_header X-Forwarded-For $remote_addr;
        proxy_set_header X-Forwarded-Host $http_host;
        proxy_set_header X-Forwarded-Proto $scheme;
    }
}
server {
    listen 80;
    server_name app.DOMAIN wiki.DOMAIN;
    root FOLDER;
    location / {
        auth_request /_verify;
        auth_request_set $page $upstream_http_location;
        error_page 401 = @out;
    }
    location /open/ { }
    location @out {
        if ($page) { return 302 $page; }
        return 401;
    }
    location = /_verify {
        internal;
        proxy_pass http://SERVER/api/v1/auth_session/verify?redirect=off;
        proxy_pass_request_body off;
        proxy_set_header Content-Length "";
        proxy_set_header Host $http_host;
        proxy_set_header X-Forwarded-For $remote_addr;
        proxy_set_header X-Forwarded-Host $http_host;
        proxy_set_header X-Forwarded-Proto $scheme;
        proxy_set_header X-Forwarded-Uri $request_uri;
    }
}
"""
_FETCH = """async ([url, options]) => {
    const answer = await fetch(url, {credentials: "include", ...options});
    return [answer.status, await answer.text()];
}"""

Deploy = Callable[..., "Hosts"]


class Hosts:
    """Vestibule on one host, and two applications that it protects."""

    def __init__(self, proxy: Nginx, server: Server) -> None:
        """Keep the parts."""
        self.server = server
        self.auth, self.app, self.wiki = (
            f"http://{name}.{DOMAIN}:{proxy.port}"
            for name in ("auth", "app", "wiki")
        )


@pytest.fixture
def deploy(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Deploy]:
    """Return a function that starts the three hosts with these settings."""
    started: list[Server | Nginx] = []

    def start(**settings: str) -> Hosts:
        """Start Vestibule, and nginx before it and the applications."""
        folder = tmp_path / "nginx"
        (folder / "site" / "open").mkdir(parents=True)
        for name in ("index.html", "open/index.html"):
            (folder / "site" / name).write_text(
                "<!doctype html><title>A</title><main>The application</main>"
            )
        proxy = Nginx(folder)
        hosts = [f"{name}.{DOMAIN}:{proxy.port}" for name in ("app", "wiki")]
        own = {
            "LOGIN_URL": f"http://auth.{DOMAIN}:{proxy.port}/sign-in",
            "ALLOWED_RETURN_HOSTS": ",".join(hosts),
            "TRUSTED_PROXIES": "127.0.0.1",
            "CORS_ORIGINS": f"http://{hosts[0]}",
        }
        server = Server(tmp_path, **PAGES | own | settings).start()
        started.append(server)
        monkeypatch.setenv("DATABASE_URL", server.env["DATABASE_URL"])
        proxy.start(
            _NGINX,
            {
                "DOMAIN": DOMAIN,
                "FOLDER": str(folder / "site"),
                "SERVER": f"127.0.0.1:{server.port}",
            },
        )
        started.append(proxy)
        return Hosts(proxy, server)

    yield start
    for each in started:
        each.stop()


@pytest.fixture
def open_page(chromium: Chromium) -> Iterator[Callable[[Hosts], Browser]]:
    """Return a function that opens a browser, closed after the test."""
    browsers: list[Browser] = []

    def start(hosts: Hosts) -> Browser:
        """Open a browser that may visit each of the hosts."""
        browsers.append(Browser(chromium, hosts.auth))
        browsers[-1].site = "http:/"
        return browsers[-1]

    yield start
    for browser in browsers:
        # Chromium warns that the header needs TLS on a host like this one.
        browser.problems = [
            problem
            for problem in browser.problems
            if "Cross-Origin-Opener-Policy header has been" not in problem
        ]
        browser.close()


def sign_in(browser: Browser, user: User) -> None:
    """Fill in the sign-in form that is open."""
    browser.expect_path("/sign-in")
    browser.fill(email=str(user.email), password=PASSWORD)
    browser.click_button("Sign in")


def session_cookies(browser: Browser, *urls: str) -> list[Any]:
    """Return the session cookies that the browser sends to these URLs."""
    return [
        cookie
        for cookie in browser.context.cookies(list(urls))
        if cookie["name"] == COOKIE
    ]


def fetch(browser: Browser, url: str, **options: Any) -> tuple[int, str]:
    """Send a request from a script of the open page, with cookies."""
    status, text = browser.page.evaluate(_FETCH, [url, options])
    return status, text


@pytest.mark.parametrize("has_old_cookie", [False, True])
def test_one_sign_in_opens_all_hosts_of_the_domain(
    deploy: Deploy,
    open_page: Callable[[Hosts], Browser],
    has_old_cookie: bool,
) -> None:
    """Signing out closes all of them; an older cookie is no hindrance."""
    hosts = deploy(COOKIE_DOMAIN=DOMAIN)
    bob, browser = add_user("bob@example.com"), open_page(hosts)
    if has_old_cookie:
        browser.context.add_cookies(
            [{"name": COOKIE, "value": "old", "url": hosts.auth}]
        )
    browser.page.goto(f"{hosts.app}/?page=1")
    sign_in(browser, bob)
    browser.page.wait_for_url(f"{hosts.app}/?page=1")
    browser.expect_text("The application")
    browser.page.goto(f"{hosts.wiki}/")
    browser.expect_text("The application")
    assert browser.page.url == f"{hosts.wiki}/"
    (cookie,) = session_cookies(browser, hosts.app)
    assert cookie["domain"] == f".{DOMAIN}"
    # The application links to this page.
    browser.page.goto(f"{hosts.auth}/sign-out?return_to={hosts.wiki}/")
    browser.page.locator("main button").click()
    browser.expect_path("/signed-out")
    assert session_cookies(browser, hosts.app, hosts.auth) == []
    for host in (hosts.app, hosts.wiki):
        browser.page.goto(f"{host}/")
        browser.expect_path("/sign-in")


def test_without_a_domain_the_cookie_is_for_one_host(
    deploy: Deploy, open_page: Callable[[Hosts], Browser]
) -> None:
    """The application asks to sign in again; the start has warned of it."""
    hosts = deploy()
    bob, browser = add_user("bob@example.com"), open_page(hosts)
    browser.page.goto(f"{hosts.app}/")
    sign_in(browser, bob)
    browser.expect_text("You are signed in")
    browser.expect_path("/sign-in")
    assert session_cookies(browser, hosts.app) == []
    assert any(
        f"no session cookie to app.{DOMAIN}, wiki.{DOMAIN}" in line
        for line in hosts.server.output
    )


def test_page_of_a_listed_origin_logs_in_and_writes(
    deploy: Deploy, open_page: Callable[[Hosts], Browser]
) -> None:
    """Chromium sends the preflights, the cookie and the origin itself."""
    hosts = deploy()
    bob, browser = add_user("bob@example.com"), open_page(hosts)
    api = f"{hosts.auth}/api/v1"
    browser.page.goto(f"{hosts.app}/open/")
    form = {
        "method": "POST",
        "headers": {"Content-Type": "application/x-www-form-urlencoded"},
        "body": f"email={bob.email}&password={PASSWORD.replace(' ', '+')}",
    }
    assert fetch(browser, f"{api}/auth_session/login", **form)[0] == 200
    renaming = {
        "method": "PUT",
        "headers": {"Content-Type": "application/json"},
        "body": '{"first_name": "Bob"}',
    }
    status, text = fetch(browser, f"{api}/users/{bob.id}", **renaming)
    assert status == 200 and '"Bob"' in text
    status, text = fetch(browser, f"{api}/users/me")
    assert status == 200 and bob.id in text
    # Pages of another origin of the same site may do neither.
    browser.page.goto(f"{hosts.wiki}/open/")
    assert "Failed to fetch" in str(
        browser.page.evaluate(
            "(url) => fetch(url, {method: 'PUT', credentials: 'include',"
            " headers: {'Content-Type': 'application/json'}, body: '{}'})"
            ".then(() => 'sent', String)",
            f"{api}/users/{bob.id}",
        )
    )
    assert any("CORS policy" in problem for problem in browser.problems)
    browser.problems.clear()
    browser.page.goto(f"{hosts.app}/open/")
    logout = f"{api}/auth_session/logout"
    assert fetch(browser, logout, method="DELETE")[0] == 200
    assert fetch(browser, f"{api}/users/me")[0] == 401
