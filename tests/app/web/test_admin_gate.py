#!/usr/bin/env python3
"""The admin page that explains the rules of the gate."""

from pathlib import Path

import pytest

from tests.app.api.conftest import Build
from tests.app.api.service import Service, stored_user
from tests.app.web.browser import Browser, signed_in

PAGE = "/admin/gate"
URL = "https://shop.example.com/payments"
RULES = """
[[rule]]
path = "/payments"
level = 2
"""


@pytest.fixture
def service(build: Build, tmp_path: Path) -> Service:
    """Return a service with pages and a rule."""
    file = tmp_path / "rules.toml"
    file.write_text(RULES)
    return build(
        "session_db_auth",
        WEB_PAGES="on",
        GATE_RULES=str(file),
        TRUSTED_PROXIES="127.0.0.1",
    )


def test_page_names_the_rule_and_what_is_missing(service: Service) -> None:
    """For a user, for an anonymous client, and for a path without rule."""
    admin = signed_in(service, stored_user("admin", "chief@example.com"))
    stored_user("member", "bob@example.com")
    shown = admin.get(f"{PAGE}?url={URL}&user=bob@example.com").text
    assert "Number 1, line 2 of the file" in shown
    assert "<code>level = 2</code>" in shown
    assert "<code>level</code>" in shown
    assert "has to sign in" in admin.get(f"{PAGE}?url={URL}").text
    other = f"{PAGE}?url=https://a.example/&user=bob@example.com"
    assert "The request passes." in admin.get(other).text


@pytest.mark.parametrize("query", ["url=a.example", "user=ghost@example.com"])
def test_fault_of_the_form_is_named(service: Service, query: str) -> None:
    """The answer is 400."""
    admin = signed_in(service, stored_user("admin"))
    assert admin.get(f"{PAGE}?{query}").status_code == 400


def test_members_cannot_open_the_page(service: Service) -> None:
    """It tells how paths are protected."""
    member: Browser = signed_in(service, stored_user())
    assert member.get(f"{PAGE}?url={URL}").status_code == 403
