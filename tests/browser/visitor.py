#!/usr/bin/env python3
"""A person with a browser: what is on the screen, and what went wrong.

Its law: nothing of what the browser complains about goes unseen; a test
that wants a complaint says so.
"""

import re
from pathlib import Path
from typing import Any

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import (
    Browser,
    ConsoleMessage,
    Request,
    Response,
    expect,
)

#: The browser's own line about an answer such as 404, which no page can
#: keep it from writing.
_STATUS = re.compile(
    r"Failed to load resource: the server responded with a status of (\d+)"
)
#: What keeps somebody from using a page, in axe's words.
_GRAVE = ("serious", "critical")
_AXE = Axe()
_RUN = """(rules) => axe.run({
    resultTypes: ['violations'], ...(rules.length ? {runOnly: rules} : {}),
})"""
# Milliseconds: several browsers may share one core.
expect.set_options(timeout=20_000)


class Visitor:
    """One person's browser: cookies of its own, and a page that is open."""

    def __init__(self, browser: Browser, url: str, **options: Any) -> None:
        """Open a browser of `options`, for the server at `url`."""
        options.setdefault("locale", "en-GB")
        options.setdefault("color_scheme", "light")
        self._browser = browser
        self.url = url
        self._companions: list[Visitor] = []
        self.context = browser.new_context(base_url=url, **options)
        #: What the browser complained about, or asked of others.
        self.faults: list[str] = []
        #: Statuses beside 4xx that the test wants to be answered.
        self.expected: set[int] = set()
        #: What the server answered, in its order.
        self.answers: list[Response] = []
        self.page = self.context.new_page()
        self.page.on("console", self._hear)
        self.page.on("pageerror", self._note_error)
        self.context.on("request", self._note_request)
        self.context.on("response", self._note_answer)

    def companion(self, **options: Any) -> "Visitor":
        """Open another browser for the same server; it closes with this."""
        other = Visitor(self._browser, self.url, **options)
        self._companions.append(other)
        return other

    def open(self, path: str, status: int = 200) -> None:
        """Go to the page at `path`, which must answer by `status`."""
        response = self.page.goto(path)
        assert response is not None
        assert response.status == status, response.url

    def press(self, name: str | re.Pattern[str]) -> None:
        """Press the one button with this name."""
        self.page.get_by_role("button", name=name, exact=True).click()

    def follow(self, name: str) -> None:
        """Follow the one link with this name."""
        self.page.get_by_role("link", name=name, exact=True).click()

    def fill(self, **fields: str) -> None:
        """Type into the fields with these names."""
        for name, text in fields.items():
            self.page.locator(f"input[name='{name}']").fill(text)

    def sees(self, text: str | re.Pattern[str]) -> None:
        """Wait until `text` is in the main part of the page."""
        expect(self.page.locator("main")).to_contain_text(text)

    def is_at(self, path: str) -> None:
        """Wait until the page at `path` is open, whatever its query."""
        expect(self.page).to_have_url(
            re.compile(rf"{re.escape(self.url + path)}(\?.*)?$")
        )

    def sign_in(self, email: str, password: str) -> None:
        """Sign in by the page, and arrive at the account."""
        self.open("/sign-in")
        self.fill(email=email, password=password)
        self.press("Sign in")
        self.is_at("/account")

    def obstacles(self, *rules: str) -> list[str]:
        """Return what axe finds on the page that keeps people out.

        It is judged by these `rules`; by all there are, if none is named.
        """
        # Half of the time goes into loading it, so a page keeps it.
        if not self.page.evaluate("'axe' in window"):
            self.page.evaluate(_AXE.axe_script)
        found = self.page.evaluate(_RUN, [*rules])["violations"]
        return [
            f"{one['id']}: {node['html']}: {node['failureSummary']}"
            for one in found
            if one["impact"] in _GRAVE
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

    def photograph(self, folder: Path, name: str) -> None:
        """Write what is on the screen into `folder`."""
        self.page.screenshot(path=folder / f"{name}.png")

    def close(self) -> None:
        """Close the browser; it must have had nothing to complain about."""
        for companion in self._companions:
            companion.close()
        self.context.close()
        if self.faults:
            raise AssertionError("\n".join(self.faults))

    def _hear(self, message: ConsoleMessage) -> None:
        """Note what the browser complains about in its console."""
        if message.type not in ("error", "warning"):
            return
        answered = _STATUS.match(message.text)
        status = int(answered[1]) if answered else 0
        if status // 100 != 4 and status not in self.expected:
            self.faults.append(f"console: {message.text}")

    def _note_error(self, error: Any) -> None:
        """Note that a script of a page failed."""
        self.faults.append(f"script: {error}")

    def _note_answer(self, response: Response) -> None:
        """Keep an answer, to be weighed."""
        self.answers.append(response)

    def _note_request(self, request: Request) -> None:
        """Note a request to any other host than the server."""
        if not request.url.startswith(f"{self.url}/"):
            self.faults.append(f"another host: {request.url}")
