#!/usr/bin/env python3
"""ASVS 6.2 and 7.4: requirements on the web pages."""

from html.parser import HTMLParser

import pytest

from tests.asvs.conftest import HARDENED, Start
from tests.asvs.service import Service
from tests.e2e.server.accounts import account, open_session
from vestibule.core.crypto import new_key

HEADERS = {"Accept": "text/html", "Sec-Fetch-Site": "none"}


class Elements(HTMLParser):
    """The elements of a page, each with its attributes."""

    def __init__(self, text: str) -> None:
        """Read the page."""
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.feed(text)
        self.close()

    def handle_starttag(
        self, tag: str, attrs: list[tuple[str, str | None]]
    ) -> None:
        """Store an element."""
        self.found.append((tag, dict(attrs)))

    def password_fields(self) -> dict[str, dict[str, str | None]]:
        """Return the input fields whose name contains `password`."""
        return {
            str(given["name"]): given
            for tag, given in self.found
            if tag == "input" and "password" in str(given.get("name"))
        }


@pytest.fixture
def pages(start: Start) -> Service:
    """Return a hardened application with web pages."""
    return start(**HARDENED, WEB_PAGES="on")


def shown(
    server: Service, path: str, cookie: str | None, status: int = 200
) -> Elements:
    """Load a page like a browser."""
    answer = server.request("GET", path, cookie, headers=HEADERS)
    assert answer.status_code == status, answer.text
    assert answer.headers["Content-Type"].startswith("text/html")
    return Elements(answer.text)


def with_passwords(server: Service) -> dict[str, Elements]:
    """Return the pages with password fields."""
    cookie = account().session_id
    return {
        "/sign-in": shown(server, "/sign-in", None),
        "/reset": shown(server, "/reset", None),
        "/account": shown(server, "/account", cookie),
    }


def test_v6_2_6_fields_hide_what_is_typed(pages: Service) -> None:
    """Each password field has the type that hides it."""
    for path, page in with_passwords(pages).items():
        fields = page.password_fields()
        assert fields, path
        for given in fields.values():
            assert given["type"] == "password", (path, given)


def test_v6_2_7_managers_and_paste(pages: Service) -> None:
    """Fields declare their purpose, and no script handles pasting."""
    for path, page in with_passwords(pages).items():
        for name, given in page.password_fields().items():
            new = name == "new_password"
            assert given["autocomplete"] == (
                "new-password" if new else "current-password"
            ), (path, given)
        for _, given in page.found:
            assert "onpaste" not in given
    (script,) = [
        str(given["src"]) for tag, given in page.found if tag == "script"
    ]
    answer = pages.request("GET", script)
    assert answer.status_code == 200
    assert "addEventListener" in answer.text
    assert "paste" not in answer.text.lower()


def test_v7_4_3_factor_page_offers_to_end_the_others(
    start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each change of a factor leads to it, and so do new codes."""
    monkeypatch.setenv("SECRETS_KEY", new_key())
    server = start(**HARDENED, WEB_PAGES="on")
    user = account()
    page = shown(server, "/account/factors", user.session_id)
    others = "/account/sessions/end-others"
    assert others in [given.get("href") for _, given in page.found]
    second = open_session(user.user)
    answer = server.request(
        "POST", others, user.session_id, headers=HEADERS, data={}
    )
    assert answer.status_code == 303
    assert server.status(second) == 403
    assert server.status(user.session_id) == 200


def test_v7_4_4_sign_out_on_every_page(pages: Service) -> None:
    """Each page of a signed-in user has the button, error pages too."""
    cookie = account().session_id
    for path, status in (
        ("/account", 200),
        ("/account/sessions", 200),
        ("/account/activity", 200),
        ("/nothing-here", 404),
    ):
        forms = [
            given
            for tag, given in shown(pages, path, cookie, status).found
            if tag == "form" and given.get("action") == "/sign-out"
        ]
        assert [given["method"] for given in forms] == ["post"], path
