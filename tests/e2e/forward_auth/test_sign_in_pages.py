#!/usr/bin/env python3
"""Sign-in pages in front of a protected application."""

from pathlib import Path

import requests

from tests.e2e.forward_auth.conftest import Deploy, trusting
from tests.e2e.forward_auth.deployment import EMAIL, PAGE, PASSWORD, reached


def test_sign_in_returns_to_requested_page(
    deploy: Deploy, tmp_path: Path
) -> None:
    """The browser returns to the page that it requested first."""
    with trusting(tmp_path / "vestibule", WEB_PAGES="on") as server:
        deployment = deploy(server)
        with requests.Session() as browser:
            browser.headers.update(PAGE)
            form = browser.get(
                f"{deployment.proxy.url}/page?a=1&b=2", timeout=30
            )
            assert not reached(form)
            assert form.url == (
                f"{deployment.proxy.url}/sign-in"
                "?return_to=/page%3Fa%3D1%26b%3D2"
            )
            page = browser.post(
                form.url,
                data={
                    "email": EMAIL,
                    "password": PASSWORD,
                    "return_to": "/page?a=1&b=2",
                },
                headers={
                    "Origin": deployment.proxy.url,
                    "Sec-Fetch-Site": "same-origin",
                },
                timeout=30,
            )
            assert reached(page)
            assert page.url == f"{deployment.proxy.url}/page?a=1&b=2"
            mine = browser.get(
                f"{deployment.proxy.url}/account/sessions", timeout=30
            )
            assert mine.status_code == 200
            assert not reached(mine)
