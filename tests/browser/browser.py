#!/usr/bin/env python3
"""A browser under test, which records every problem it has with a page.

Closing it fails if the console had an error or warning that the test did not
expect, a script failed, or a request went to another host.
"""

import re
from typing import Any
from urllib.parse import urlsplit

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser as Chromium
from playwright.sync_api import (
    ConsoleMessage,
    Error,
    Request,
    Response,
    ViewportSize,
    expect,
)

#: The browser's own line about a status such as 404, which a page cannot
#: prevent.
_STATUS = re.compile(
    r"Failed to load resource: the server responded with a status of (\d+)"
)
#: The impacts in axe's reports that keep people from using a page.
_BLOCKING_IMPACTS = ("serious", "critical")
_AXE = Axe()
_RUN = """(rules) => axe.run({
    resultTypes: ['violations'], ...(rules.length ? {runOnly: rules} : {}),
})"""
#: Pages that may still load when a test ends.
MAX_INTERRUPTIONS = 5
#: The screen that Playwright gives a page.
_SCREEN: ViewportSize = {"width": 1280, "height": 720}
# Milliseconds: several browsers may share one core.
expect.set_options(timeout=20_000)


class Browser:
    """An isolated browser with its own cookies and one open page."""

    def __init__(self, chromium: Chromium, url: str, **options: Any) -> None:
        """Open a browser with Playwright `options` for the server at `url`."""
        options.setdefault("locale", "en-GB")
        options.setdefault("color_scheme", "light")
        self._chromium = chromium
        self.url = url
        #: The address that begins each request that is no problem.
        self.site = url
        self._others: list[Browser] = []
        self._screen: ViewportSize = options.get("viewport", _SCREEN)
        self._color_scheme = options["color_scheme"]
        self.context = chromium.new_context(**options)
        #: Console messages, failed scripts and requests to other hosts.
        self.problems: list[str] = []
        #: Statuses besides 4xx that the test expects.
        self.expected_statuses: set[int] = set()
        #: All responses, in their order.
        self.responses: list[Response] = []
        self.page = self.context.new_page()
        self.page.on("console", self._note_console)
        self.page.on("pageerror", self._note_error)
        self.context.on("request", self._note_request)
        self.context.on("response", self._note_response)

    def open_another(self, **options: Any) -> "Browser":
        """Open a second browser, which closes together with this one."""
        other = Browser(self._chromium, self.url, **options)
        self._others.append(other)
        return other

    def goto(self, path: str, **options: Any) -> Response | None:
        """Go to `path` of the server; return the response."""
        return self.page.goto(self.url + path, **options)

    def open(self, path: str, status: int = 200) -> None:
        """Go to `path`, and check the status of the response."""
        response = self.goto(path)
        assert response is not None
        assert response.status == status, response.url

    def click_button(self, name: str | re.Pattern[str]) -> None:
        """Click the only button with this name."""
        self.page.get_by_role("button", name=name, exact=True).click()

    def click_link(self, name: str) -> None:
        """Click the only link with this name."""
        self.page.get_by_role("link", name=name, exact=True).click()

    def fill(self, **fields: str) -> None:
        """Type into the fields with these names."""
        for name, text in fields.items():
            self.page.locator(f"input[name='{name}']").fill(text)

    def expect_text(self, text: str | re.Pattern[str]) -> None:
        """Wait until the main part of the page contains `text`."""
        expect(self.page.locator("main")).to_contain_text(text)

    def expect_path(self, path: str) -> None:
        """Wait until the page at `path` is open, with any query."""
        expect(self.page).to_have_url(
            re.compile(rf"{re.escape(self.url + path)}(\?.*)?$")
        )

    def sign_in(self, email: str, password: str) -> None:
        """Sign in on the sign-in page, and wait for the account page."""
        self.open("/sign-in")
        self.fill(email=email, password=password)
        self.click_button("Sign in")
        self.expect_path("/account")

    def axe_violations(self, *rules: str) -> list[str]:
        """Return the serious accessibility violations that axe finds.

        Check only these `rules`, or all rules if none is given.
        """
        # Loading axe takes half of the time, so a page keeps it.
        if not self.page.evaluate("'axe' in window"):
            self.page.evaluate(_AXE.axe_script)
        found = self.page.evaluate(_RUN, [*rules])["violations"]
        return [
            f"{one['id']}: {node['html']}: {node['failureSummary']}"
            for one in found
            if one["impact"] in _BLOCKING_IMPACTS
            for node in one["nodes"]
        ]

    def overflow(self) -> int:
        """Return by how many pixels the page is wider than the screen."""
        return int(
            self.page.evaluate(
                "document.documentElement.scrollWidth"
                " - document.documentElement.clientWidth"
            )
        )

    def close(self) -> None:
        """Close the browser.

        Raise AssertionError if it recorded a problem.
        """
        for other in self._others:
            other.close()
        self.context.close()
        self._raise_problems()

    def renew(self) -> None:
        """Leave the browser as a new one is, for the next test.

        A new window costs as much as loading three pages. Raise
        AssertionError if the browser recorded a problem.
        """
        while self._others:
            self._others.pop().close()
        for page in self.context.pages:
            if page is not self.page:
                page.close()
        self._leave()
        self.context.clear_cookies()
        self.context.clear_permissions()
        origin = "{0.scheme}://{0.netloc}".format(urlsplit(self.url))
        session = self.context.new_cdp_session(self.page)
        session.send("Network.clearBrowserCache")
        session.send(
            "Storage.clearDataForOrigin",
            {"origin": origin, "storageTypes": "all"},
        )
        session.detach()
        self.page.set_viewport_size(self._screen)
        self.page.emulate_media(color_scheme=self._color_scheme)
        self.responses.clear()
        self.expected_statuses.clear()
        self._raise_problems()

    def _leave(self) -> None:
        """Show an empty page.

        A form that the test has just sent interrupts that: its response
        loads another page.
        """
        for _ in range(MAX_INTERRUPTIONS):
            try:
                self.page.goto("about:blank")
            except Error as error:
                if "interrupted by another navigation" not in str(error):
                    raise
            else:
                return
        self.page.goto("about:blank")

    def _raise_problems(self) -> None:
        """Raise AssertionError if the browser recorded a problem."""
        found, self.problems = self.problems, []
        assert not found, "\n".join(found)

    def _note_console(self, message: ConsoleMessage) -> None:
        """Record an error or warning in the console."""
        if message.type not in ("error", "warning"):
            return
        line = _STATUS.match(message.text)
        status = int(line[1]) if line else 0
        if status // 100 != 4 and status not in self.expected_statuses:
            self.problems.append(f"console: {message.text}")

    def _note_error(self, error: Any) -> None:
        """Record an uncaught error of a script."""
        self.problems.append(f"script: {error}")

    def _note_response(self, response: Response) -> None:
        """Keep a response, so that tests can measure it."""
        self.responses.append(response)

    def _note_request(self, request: Request) -> None:
        """Record a request to another host, or beside the server's path."""
        if not request.url.startswith(f"{self.site}/"):
            self.problems.append(f"another host: {request.url}")
