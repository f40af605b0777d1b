#!/usr/bin/env python3
"""Browsers that visit the sign-in host and applications' hosts in process."""

from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from sqlalchemy import text
from werkzeug.test import TestResponse

from tests.app.api.conftest import Build
from tests.app.api.service import PASSWORD, Service
from tests.app.web.browser import Browser
from tests.serving import VERIFY
from vestibule.core.application_hosts import SESSION_PATH
from vestibule.db.engine import database
from vestibule.db.models.user import User

SIGN_IN_HOST = "https://auth.example.com"
APP = "https://app.example.com"
WIKI = "https://wiki.example.org"
COOKIE = "__Host-session"
STATE = "__Host-vestibule_state"
#: Settings of a service that signs in for both applications.
HOSTS = {
    "APP_HOSTS": "app.example.com,wiki.example.org",
    "LOGIN_URL": f"{SIGN_IN_HOST}/sign-in",
    "SESSION_NAME": COOKIE,
    "TRUSTED_PROXIES": "127.0.0.1",
    "WEB_PAGES": "on",
}


def build_hosts(build: Build, **settings: str) -> Service:
    """Return a service that hands sessions to two applications."""
    return build("session_db_auth", **HOSTS | settings)


class Visitor(Browser):
    """A browser that visits the hosts; gates guard the applications."""

    def visit(self, url: str, **more: Any) -> TestResponse:
        """Load one page of Vestibule, and follow no redirect."""
        parts = urlsplit(url)
        path = parts.path + (f"?{parts.query}" if parts.query else "")
        return self.get(
            path, base_url=f"{parts.scheme}://{parts.netloc}", **more
        )

    def ask_gate(self, url: str, **headers: str) -> TestResponse:
        """Return the answer of verify when a gate asks for this page."""
        parts = urlsplit(url)
        path = parts.path + (f"?{parts.query}" if parts.query else "")
        own = {
            "X-Forwarded-Proto": parts.scheme,
            "X-Forwarded-Host": parts.netloc,
            "X-Forwarded-Uri": path,
            "Sec-Fetch-Mode": "navigate",
        }
        return self.client.get(
            VERIFY,
            base_url=f"{parts.scheme}://{parts.netloc}",
            headers=self.headers | own | headers,
        )

    def open_page(self, url: str) -> str:
        """Load a page of an application; return where the browser ends.

        The redirects are followed as a browser would follow them, at most
        ten: the address is that of the page, or of a page of Vestibule.
        """
        for _ in range(10):
            parts = urlsplit(url)
            if f"{parts.scheme}://{parts.netloc}" == SIGN_IN_HOST or (
                parts.path == SESSION_PATH
            ):
                answer = self.visit(url)
            else:
                answer = self.ask_gate(url)
            if answer.status_code not in (302, 303):
                return url
            target = answer.headers["Location"]
            if target.startswith("/"):
                target = f"{parts.scheme}://{parts.netloc}{target}"
            url = target
        raise AssertionError(f"a redirect loop at {url}")

    def sign_in(self, user: User, url: str = f"{SIGN_IN_HOST}/sign-in") -> str:
        """Send the form of the sign-in page; return the next address."""
        parts = urlsplit(url)
        back = parse_qs(parts.query).get("return_to", [])
        form = {"email": user.email, "password": PASSWORD}
        form |= {"return_to": back[0]} if back else {}
        answer = self.post(parts.path, form, base_url=SIGN_IN_HOST)
        assert answer.status_code == 303, answer.text
        return answer.headers["Location"]

    def opens(self, url: str) -> bool:
        """Return True if the gate lets the browser see this page."""
        return self.ask_gate(url).status_code == 200

    def cookie(self, url: str, name: str = COOKIE) -> str | None:
        """Return the value of a cookie that the browser has for a host."""
        found = self.client.get_cookie(name, urlsplit(url).netloc)
        return None if found is None else found.value


def signed_in_at(service: Service, user: User, *urls: str) -> Visitor:
    """Return the browser of a user who has opened these pages."""
    visitor = Visitor(service)
    visitor.sign_in(user)
    for url in urls:
        assert visitor.open_page(url) == url
    return visitor


@pytest.fixture
def hosts(build: Build) -> Service:
    """Return a service that signs in for two applications."""
    return build_hosts(build)


def rows(table: str) -> int:
    """Return the number of rows of a table."""
    found = database().fetch_all(text(f"SELECT count(*) FROM {table}"))
    return int(found[0][0])


def code_for(visitor: Visitor, page: str) -> str:
    """Return the address with a code that would give `page` a session."""
    host = page[: page.index("/", 8)]
    begun = visitor.visit(f"{host}{SESSION_PATH}?return_to=%2F")
    answer = visitor.visit(begun.headers["Location"])
    assert "code=" in answer.headers["Location"]
    return answer.headers["Location"]
