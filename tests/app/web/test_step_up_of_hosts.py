#!/usr/bin/env python3
"""A page of an application's own host asks for a recent proof."""

from pathlib import Path
from urllib.parse import parse_qs, urlsplit

from tests.app.api.conftest import Build
from tests.app.api.service import PASSWORD, stored_user
from tests.app.web.hosts import (
    APP,
    SIGN_IN_HOST,
    WIKI,
    build_hosts,
    signed_in_at,
)
from tests.clocks import SetClock

RULES = '[[rule]]\nhost = "app.example.com"\npath = "/pay"\nfresh = 300\n'
PAGE = f"{APP}/pay/7?a=1"
STEP_UP = "/account/factors/step-up"


def test_sign_in_host_asks_and_leads_back_to_the_application(
    build: Build, tmp_path: Path, set_clock: SetClock
) -> None:
    """The session of the application's host has the new proof at once."""
    file = tmp_path / "rules.toml"
    file.write_text(RULES)
    service = build_hosts(build, GATE_RULES=str(file))
    visitor = signed_in_at(service, stored_user(), PAGE, f"{WIKI}/pay/7")
    set_clock.advance(301)
    assert visitor.opens(f"{WIKI}/pay/7")
    assert not visitor.opens(PAGE)
    address = visitor.open_page(PAGE)
    url = urlsplit(address)
    assert address.startswith(f"{SIGN_IN_HOST}{STEP_UP}?")
    assert parse_qs(url.query) == {"fresh": ["300"], "return_to": [PAGE]}
    shown = visitor.visit(address)
    assert (
        f"form-action 'self' {APP}"
        in (shown.headers["Content-Security-Policy"])
    )
    form = {"fresh": "300", "return_to": PAGE, "password": PASSWORD}
    done = visitor.post(STEP_UP, form, base_url=SIGN_IN_HOST)
    assert (done.status_code, done.headers["Location"]) == (303, PAGE)
    assert visitor.opens(PAGE)
