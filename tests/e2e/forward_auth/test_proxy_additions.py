#!/usr/bin/env python3
"""Preflights, Traefik's redirects and a Unix socket behind a proxy."""

import re
from pathlib import Path
from typing import Any
from urllib.parse import urljoin

import requests

from tests.e2e.forward_auth.certificates import write_certificate
from tests.e2e.forward_auth.deployment import (
    EMAIL,
    PAGE,
    PASSWORD,
    Application,
    Deployment,
    gunicorn_options,
    reached,
    start_gunicorn,
)
from tests.e2e.forward_auth.proxies import (
    APPLICATION,
    PROXIES,
    VESTIBULE,
    Nginx,
    shipped,
)
from tests.e2e.forward_auth.test_forged_headers import (
    FORGED,
    is_refused,
)
from tests.e2e.forward_auth.test_proxy_configurations import traefik
from tests.e2e.forward_auth.test_recipes import SourceAdapter
from tests.e2e.server.waiting import wait_until
from tests.serving import (
    LOGIN,
    ROOT,
    SESSIONS,
    Server,
)
from vestibule.core import settings

__all__ = ["traefik"]


def preflight_lines(page: str, language: str) -> str:
    """Return the guide's block `nginx-part` or `caddyfile-part`."""
    text = (ROOT / page).read_text().partition("## CORS preflights")[2]
    (found,) = re.findall(
        rf"^```{language}-part\n(.*?)^```$",
        text,
        re.MULTILINE | re.DOTALL,
    )
    return str(found)


def test_preflight_reaches_application(
    name: str, vestibule: Server, application: Application, tmp_path: Path
) -> None:
    """With the guide's lines a preflight passes; nothing else does."""
    proxy = PROXIES[name](tmp_path)
    text = shipped(proxy.file)
    lines = preflight_lines("docs/forward-authentication.md", proxy.language)
    before = (
        "proxy_pass_request_body off;"
        if name == "nginx"
        else ("\t# The application: everything")
    )
    assert text.count(before) == 1
    proxy.start(
        text.replace(before, f"{lines}{before}"),
        {
            VESTIBULE: f"127.0.0.1:{vestibule.port}",
            APPLICATION: f"127.0.0.1:{application.port}",
        },
    )
    try:
        check_preflight(Deployment(proxy, vestibule))
    finally:
        proxy.stop()


def check_preflight(deployment: Deployment) -> None:
    """Send a preflight and what is almost one."""
    asks = {
        "Origin": "https://other.example",
        "Access-Control-Request-Method": "PUT",
        "Remote_User": FORGED,
    }
    passed = deployment.request("OPTIONS", "/page", headers=asks)
    assert reached(passed)
    assert FORGED not in passed.text
    named = deployment.request(
        "OPTIONS", "/page", headers=asks | {"Remote-User": FORGED}
    )
    assert reached(named) is not is_refused(deployment, "Remote-User")
    assert FORGED not in named.text
    for method, missing in (
        ("OPTIONS", "Origin"),
        ("OPTIONS", "Access-Control-Request-Method"),
        ("GET", ""),
        ("POST", ""),
    ):
        given = {key: text for key, text in asks.items() if key != missing}
        refused = deployment.request(method, "/page", headers=given)
        assert not reached(refused), (method, missing)


def test_traefik_sends_visitor_to_own_host(
    traefik: dict[str, Any], vestibule: Server
) -> None:
    """Traefik resolves a relative `Location` against the address that it
    asked, unless it is told to preserve the header.
    """
    gate = traefik["middlewares"]["gate"]["forwardAuth"]
    asked = gate["address"].replace(VESTIBULE, f"127.0.0.1:{vestibule.port}")
    answer = requests.get(
        asked,
        headers=PAGE
        | {
            "X-Forwarded-Host": "app.example.com",
            "X-Forwarded-Uri": "/page",
            "X-Forwarded-Proto": "https",
            "X-Forwarded-For": "192.0.2.7",
        },
        allow_redirects=False,
        timeout=30,
    )
    location = answer.headers["Location"]
    if not gate.get("preserveLocationHeader", False):
        location = urljoin(asked, location)
    shown = urljoin("https://app.example.com/page", location)
    assert shown == "https://app.example.com/sign-in?return_to=/page"


def test_gunicorn_keeps_connections_longer_than_proxies() -> None:
    """As long as our server, so no proxy uses one that is being closed."""
    options = gunicorn_options()
    seconds = options[options.index("--keep-alive") + 1]
    assert int(seconds) >= int(settings.KEEPALIVE_TIMEOUT.default or 0)


def test_gunicorn_on_unix_socket_behind_nginx(
    vestibule: Server, application: Application, tmp_path: Path
) -> None:
    """`TRUSTED_PROXIES=unix` gives it the client's address and TLS."""
    at = tmp_path / "socket"
    process = start_gunicorn(
        f"unix:{at}",
        vestibule.env | {"TRUSTED_PROXIES": "unix"},
        at.with_name("log"),
    )
    folder = tmp_path / "nginx"
    folder.mkdir()
    proxy = Nginx(folder)
    proxy.tls = write_certificate(folder)
    try:
        assert wait_until(60, at.exists)
        proxy.start(
            shipped(proxy.file),
            {
                f"server {VESTIBULE};": f"server unix:{at};",
                APPLICATION: f"127.0.0.1:{application.port}",
            },
        )
        with requests.Session() as client:
            client.trust_env = False
            client.verify = str(proxy.tls[0])
            client.mount(f"{proxy.url}/", SourceAdapter("127.0.0.2"))
            entered = client.post(
                proxy.url + LOGIN,
                data={"email": EMAIL, "password": PASSWORD},
                timeout=30,
            )
            assert "; Secure" in entered.headers["Set-Cookie"]
            listed = client.get(proxy.url + SESSIONS, timeout=30).json()
        (own,) = [one for one in listed if one["current"]]
        assert own["ip"] == "127.0.0.2"
    finally:
        proxy.stop()
        process.terminate()
        process.wait(30)
