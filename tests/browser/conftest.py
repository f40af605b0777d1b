#!/usr/bin/env python3
"""Fixtures: servers with web pages, browsers, and users."""

import os
import re
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser as Chromium

from tests.browser.browser import Browser
from tests.browser.every_page import Site, demo_site
from tests.browser.populated_server import PopulatedServer, populated_server
from tests.browser.scenes import PASSWORD, add_session
from tests.clocks import FileClock
from tests.e2e.forward_auth.proxies import VESTIBULE, Nginx
from tests.e2e.server.server_state import defect_lines
from tests.serving import COOKIE, ROOT, ClockedServer, Server
from vestibule.accounts.users import set_role
from vestibule.db.models.user import User

PAGES = {
    "AUTH_TYPE": "session_db_auth",
    "SESSION_NAME": COOKIE,
    "SESSION_DURATION": "43200",
    "WEB_PAGES": "on",
}

#: The path below which each test runs once more, behind nginx as the guide
#: configures it.
BASE_PATH = "/auth"
#: The tests that do that in `make check` too, one of each kind of page;
#: `make torture` runs all of them.
BELOW_PATH_IN_CHECK = (
    "test_sign_in_and_out_from_the_root",
    "test_first_admin_signs_in_and_ends_a_session",
    "test_ended_session_signs_the_other_browser_out",
    "test_list_is_paged",
    "test_requests_use_the_session_cookie",
)

OpenBrowser = Callable[..., Browser]
StartServer = Callable[..., Server]


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Run each test of a server at the root, and below a path."""
    if "base_path" not in metafunc.fixturenames:
        return
    name = metafunc.function.__name__
    marks = [] if name in BELOW_PATH_IN_CHECK else [pytest.mark.torture]
    metafunc.parametrize(
        "base_path",
        ["", pytest.param(BASE_PATH, marks=marks)],
        ids=["root", "below"],
        scope="session",
    )


def _documented_configuration() -> str:
    """Return the configuration of nginx that the guide shows."""
    page = (ROOT / "docs/web-pages.md").read_text()
    (found,) = re.findall(r"^```nginx\n(.*?)^```$", page, re.M | re.S)
    assert f"location {BASE_PATH}/ " in found
    return str(found)


@pytest.fixture(scope="session")
def pages_settings(base_path: str) -> dict[str, str]:
    """Return the settings of a server with pages, below `base_path`."""
    if not base_path:
        return PAGES
    return PAGES | {"BASE_PATH": base_path, "TRUSTED_PROXIES": "127.0.0.1"}


@pytest.fixture(scope="session")
def address_of(
    base_path: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Callable[[Server], str]]:
    """Return a function that returns where browsers reach a server.

    Below a path that is an nginx, started once for each server.
    """
    proxies: dict[int, Nginx] = {}

    def find(server: Server) -> str:
        """Return the address with the path, and start nginx if needed."""
        if not base_path:
            return server.url
        if server.port not in proxies:
            proxy = Nginx(tmp_path_factory.mktemp("nginx"))
            proxies[server.port] = proxy
            proxy.start(
                _documented_configuration(),
                {VESTIBULE: f"127.0.0.1:{server.port}"},
            )
        return proxies[server.port].url + base_path

    yield find
    for proxy in proxies.values():
        proxy.stop()


@pytest.fixture(scope="session")
def shared_server(
    tmp_path_factory: pytest.TempPathFactory, pages_settings: dict[str, str]
) -> Iterator[Server]:
    """Run a server with pages that the tests of a process share."""
    server = Server(
        tmp_path_factory.mktemp("server"),
        **pages_settings,
        REGISTRATION="open",
        AUTHZ_POLICY="self",
    ).start()
    yield server
    assert server.stop() == 0
    assert defect_lines(server) == []


@pytest.fixture
def server(shared_server: Server, monkeypatch: pytest.MonkeyPatch) -> Server:
    """Return the shared server, with its database as the test's own."""
    monkeypatch.setenv("DATABASE_URL", shared_server.env["DATABASE_URL"])
    return shared_server


@pytest.fixture
def start_server(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    pages_settings: dict[str, str],
) -> Iterator[StartServer]:
    """Return a function that runs a server for this test alone.

    The server's database is the database of the test.
    """
    opened: list[Server] = []

    def start(
        server: Callable[..., Server] = Server, **settings: str
    ) -> Server:
        """Start a server with these settings added to the usual ones."""
        started = server(tmp_path, **pages_settings | settings).start()
        monkeypatch.setenv("DATABASE_URL", started.env["DATABASE_URL"])
        opened.append(started)
        return started

    yield start
    for server in opened:
        assert server.stop() == 0
        assert defect_lines(server) == []


@pytest.fixture(scope="session")
def shared_populated(
    tmp_path_factory: pytest.TempPathFactory, pages_settings: dict[str, str]
) -> Iterator[PopulatedServer]:
    """Run a server with many users and one admin."""
    folder = tmp_path_factory.mktemp("populated")
    with populated_server(
        folder, pages_settings | {"THROTTLE": "on"}
    ) as populated:
        yield populated
        assert defect_lines(populated.server) == []


@pytest.fixture
def populated(
    shared_populated: PopulatedServer, monkeypatch: pytest.MonkeyPatch
) -> PopulatedServer:
    """Return the populated server, with its database as the test's own."""
    monkeypatch.setenv(
        "DATABASE_URL", shared_populated.server.env["DATABASE_URL"]
    )
    return shared_populated


@pytest.fixture(scope="session")
def shared_site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """Run a server on the demo's data, with mail and second factors."""
    with demo_site(tmp_path_factory.mktemp("site")) as site:
        yield site


@pytest.fixture
def site(shared_site: Site, monkeypatch: pytest.MonkeyPatch) -> Site:
    """Return that server, with its database as the test's own."""
    for name in ("DATABASE_URL", "SECRETS_KEY"):
        monkeypatch.setenv(name, shared_site.server.env[name])
    return shared_site


@pytest.fixture
def frozen_clock_server(tmp_path: Path) -> Callable[..., Server]:
    """Return a function that makes a server with a frozen clock.

    With a real clock on a busy machine, the wait after a failed sign-in can be
    over before the next attempt.
    """
    return partial(ClockedServer, clock=FileClock(tmp_path / "clock"))


@pytest.fixture(scope="session")
def kept_browsers(chromium: Chromium) -> Iterator[dict[str, list[Browser]]]:
    """Return the browsers that no test uses now, by their options."""
    kept: dict[str, list[Browser]] = defaultdict(list)
    yield kept
    for browsers in kept.values():
        for browser in browsers:
            browser.close()


@pytest.fixture
def open_browser_at(
    chromium: Chromium, kept_browsers: dict[str, list[Browser]]
) -> Iterator[OpenBrowser]:
    """Return a function that opens browsers for an address.

    It takes a browser with the same options that an earlier test renewed, if
    there is one. A browser that has a problem, or that the test closed, is
    not kept.
    """
    renewals = ExitStack()

    def open_one(url: str, **options: Any) -> Browser:
        """Open a browser with Playwright's `options`."""
        unused = kept_browsers[repr(sorted(options.items()))]
        if unused:
            browser = unused.pop()
            browser.url = browser.site = url
        else:
            browser = Browser(chromium, url, **options)
        renewals.callback(renew, browser, unused)
        return browser

    def renew(browser: Browser, unused: list[Browser]) -> None:
        """Keep the browser for later tests."""
        if not browser.page.is_closed():
            browser.renew()
            unused.append(browser)

    with renewals:
        yield open_one


@pytest.fixture
def open_browser(
    open_browser_at: OpenBrowser, address_of: Callable[[Server], str]
) -> OpenBrowser:
    """Return a function that opens browsers for a server."""
    return lambda server, **options: open_browser_at(
        address_of(server), **options
    )


@pytest.fixture
def bob(server: Server) -> User:
    """Return a user of the shared server that no other test uses."""
    return add_user(f"bob-{os.urandom(4).hex()}@example.com")


@pytest.fixture
def admin(server: Server) -> User:
    """Return an admin of the shared server, one of several."""
    admin = add_user(
        f"admin-{os.urandom(4).hex()}@example.com", first_name="Ada"
    )
    set_role(admin, "admin")
    return admin


@pytest.fixture(params=[True, False], ids=["script", "none"])
def admin_browser(
    request: pytest.FixtureRequest,
    server: Server,
    open_browser: OpenBrowser,
    admin: User,
) -> Browser:
    """Return the browser of an admin, with scripts and without."""
    browser = open_browser(server, java_script_enabled=request.param)
    add_session(browser, admin)
    return browser


def add_user(email: str, **names: str) -> User:
    """Store a user with the tests' password."""
    user = User(email=email, **names)
    user.password = PASSWORD
    user.save()
    return user
