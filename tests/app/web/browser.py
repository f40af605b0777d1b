#!/usr/bin/env python3
"""A browser's requests in process, and the pages that it gets."""

from html.parser import HTMLParser
from typing import Any

from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from tests.app.api.service import Service

#: Headers that browsers send when they load a page.
HEADERS = {
    "Accept": "text/html,application/xhtml+xml,application/xml;q=0.9,*/*"
    ";q=0.8",
    "Sec-Fetch-Site": "same-origin",
}


class Browser:
    """A browser with an empty cookie jar."""

    def __init__(self, service: Service, **headers: str) -> None:
        """Open it; each request sends `headers` beside the usual ones."""
        self.client: FlaskClient = service.client()
        self.headers = HEADERS | headers

    def get(self, path: str, **more: Any) -> TestResponse:
        """Load a page."""
        return self.client.get(path, headers=self.headers, **more)

    def post(
        self, path: str, form: dict[str, Any] | None = None, **more: Any
    ) -> TestResponse:
        """Send a form."""
        headers = self.headers | more.pop("headers", {})
        return self.client.post(path, data=form, headers=headers, **more)

    def follow(self, answer: TestResponse) -> TestResponse:
        """Follow the redirect of a response."""
        assert answer.status_code == 303, answer.text
        return self.get(answer.headers["Location"])


class Page(HTMLParser):
    """The text and the elements of a page."""

    def __init__(self, answer: TestResponse) -> None:
        """Parse the page of a response; fail if a tag is not closed."""
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self._open: list[str] = []
        self.feed(answer.text)
        self.close()
        assert self._open == []

    def handle_starttag(
        self, tag: str, attrs: list[tuple[str, str | None]]
    ) -> None:
        """Keep an element."""
        self.elements.append((tag, dict(attrs)))
        if tag not in ("meta", "link", "input", "img", "br"):
            self._open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        """Fail if this is not the end of the element opened last."""
        assert self._open.pop() == tag

    def handle_data(self, data: str) -> None:
        """Keep a text."""
        self.text += data

    def fields(self) -> dict[str, dict[str, str | None]]:
        """Return the named fields of its forms."""
        return {
            given["name"] or "": given
            for tag, given in self.elements
            if tag == "input" and "name" in given
        }
