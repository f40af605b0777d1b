#!/usr/bin/env python3
"""Signing in by a page, on the way to an application behind the gate."""

from pathlib import Path

import requests

from tests.e2e.forward_auth.conftest import Guard
from tests.e2e.forward_auth.gate import EMAIL, PAGE, PASSWORD, reached
from tests.e2e.server.conftest import ADD_USER
from tests.serving import COOKIE, Server


def test_who_signs_in_is_led_back(guard: Guard, tmp_path: Path) -> None:
    """From the page that was asked for, over sign-in, to that page."""
    folder = tmp_path / "vestibule"
    folder.mkdir()
    server = Server(
        folder,
        AUTH_TYPE="session_db_auth",
        SESSION_NAME=COOKIE,
        TRUSTED_PROXIES="127.0.0.1",
        WEB_PAGES="on",
    ).start()
    try:
        server.run(ADD_USER, EMAIL, PASSWORD)
        gate = guard(server)
        with requests.Session() as browser:
            browser.headers.update(PAGE)
            form = browser.get(f"{gate.proxy.url}/page?a=1&b=2", timeout=30)
            assert not reached(form)
            assert form.url == (
                f"{gate.proxy.url}/sign-in?return_to=/page%3Fa%3D1%26b%3D2"
            )
            page = browser.post(
                form.url,
                data={
                    "email": EMAIL,
                    "password": PASSWORD,
                    "return_to": "/page?a=1&b=2",
                },
                headers={
                    "Origin": gate.proxy.url,
                    "Sec-Fetch-Site": "same-origin",
                },
                timeout=30,
            )
            assert reached(page)
            assert page.url == f"{gate.proxy.url}/page?a=1&b=2"
            mine = browser.get(
                f"{gate.proxy.url}/account/sessions", timeout=30
            )
            assert mine.status_code == 200
            assert not reached(mine)
    finally:
        assert server.stop() == 0
