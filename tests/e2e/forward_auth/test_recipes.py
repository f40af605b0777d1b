#!/usr/bin/env python3
"""Each proxy configuration in the files and documents, with forged headers.

Also what people add to the shipped files: locations of their own, and a
way for CORS preflights.
"""

import re
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import requests

from tests.e2e.forward_auth.certificates import write_certificate
from tests.e2e.forward_auth.conftest import Deploy
from tests.e2e.forward_auth.deployment import (
    EMAIL,
    PAGE,
    PASSWORD,
    Application,
    Deployment,
    headers_of,
    reached,
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
    PROXY_HEADERS,
    is_refused,
    spellings,
)
from tests.e2e.forward_auth.test_proxy_configurations import traefik
from tests.e2e.server.conftest import ADD_USER
from tests.e2e.server.wire import ask
from tests.serving import (
    COOKIE,
    DB_SESSIONS,
    LOGIN,
    ROOT,
    SESSIONS,
    VERIFY,
    Server,
)

__all__ = ["traefik"]

#: The pages with configurations of proxies, and the name in them.
PAGES = {
    "README.md": "app.example.com",
    "docs/forward-authentication.md": "app.example.com",
    "docs/production.md": "auth.example.com",
    "docs/several-hosts.md": "auth.example.com",
}
#: Headers of a client that would change its address, host or scheme.
CLIENT_HEADERS = {
    "X-Forwarded-For": "203.0.113.9",
    "X-Forwarded-Proto": "https",
    "X-Forwarded-Host": "evil.example",
    "X-Forwarded-Port": "1",
    "Forwarded": "for=203.0.113.9;host=evil.example;proto=https",
    "X-Real-IP": "203.0.113.9",
}
#: A location that an operator adds to the shipped file of nginx.
ADDED = """\
    location /reports/ { proxy_pass http://application; }
    location /open/ { auth_request off; proxy_pass http://application; }

    # The application.
"""


def recipes() -> Iterator[tuple[str, str, str]]:
    """Yield page, language and text of each configuration in a page."""
    for page in PAGES:
        text = (ROOT / page).read_text()
        for language in ("nginx", "caddyfile"):
            for found in re.findall(
                rf"^```{language}\n(.*?)^```$", text, re.MULTILINE | re.DOTALL
            ):
                if VESTIBULE in found:
                    yield page, language, found


RECIPES = list(recipes())


def test_each_page_has_recipes_of_both_proxies() -> None:
    """The list is not empty where the documents have configurations."""
    assert {(page, language) for page, language, _ in RECIPES} == {
        (page, language)
        for page in PAGES
        for language in ("nginx", "caddyfile")
    }


@contextmanager
def running(
    recipe: tuple[str, str, str], server: Server, folder: Path
) -> Iterator[Deployment]:
    """Run a recipe of a page in front of `server`, with TLS."""
    page, language, text = recipe
    name = "nginx" if language == "nginx" else "caddy"
    proxy = PROXIES[name](folder)
    certificate, secret = write_certificate(folder)
    for at, new in (
        ("/etc/ssl/auth.pem", certificate),
        ("/etc/ssl/auth.key", secret),
        ("/srv/site", folder),
    ):
        text = text.replace(at, str(new))
    if "listen 443 ssl;" in text:
        text = text.replace("listen 443 ssl;", f"{proxy.listens} ")
        text = text.replace(
            proxy.listens, f"listen 127.0.0.1:{proxy.port} ssl;"
        )
        proxy.listens = f"listen 127.0.0.1:{proxy.port} ssl;"
        proxy.names = {f"server_name {PAGES[page]};": "server_name _;"}
        proxy.address = lambda: proxy.listens  # type: ignore[method-assign]
        proxy.tls = None
    elif name == "caddy":
        proxy.listens = f"{PAGES[page]} {{"
    proxy.start(text, {VESTIBULE: f"127.0.0.1:{server.port}"})
    if "ssl_certificate" in text:
        proxy.tls = certificate, secret
    try:
        yield Deployment(proxy, server)
    finally:
        proxy.stop()


@pytest.mark.parametrize(
    "recipe", RECIPES, ids=[f"{page}-{lang}" for page, lang, _ in RECIPES]
)
def test_recipe_keeps_client_headers_out(
    recipe: tuple[str, str, str], vestibule: Server, tmp_path: Path
) -> None:
    """Forged headers change neither the address nor the cookie's flags, and
    a foreign cookie with bytes outside of ASCII keeps the session.
    """
    name = COOKIE
    if "__Host-session" in recipe[2]:
        recipe = (*recipe[:2], recipe[2].replace("__Host-session", COOKIE))
    with running(recipe, vestibule, tmp_path) as deployment:
        url = deployment.proxy.url
        by_tls = url.startswith("https:")
        address = "127.0.0.2"
        with requests.Session() as client:
            client.trust_env = False
            if deployment.proxy.tls:
                client.verify = str(deployment.proxy.tls[0])
            client.mount(f"{url}/", SourceAdapter(address))
            entered = client.post(
                url + LOGIN,
                data={"email": EMAIL, "password": PASSWORD},
                headers=CLIENT_HEADERS | {"Origin": url},
                timeout=30,
            )
            assert entered.status_code == 200, entered.text
            assert ("; Secure" in entered.headers["Set-Cookie"]) is by_tls
            cookie = f"a=Jos\xe9; {name}={entered.cookies[name]}; b=\xff"
            listed = client.get(
                url + SESSIONS,
                headers={"Cookie": cookie.encode("latin-1")},
                timeout=30,
            )
        assert listed.status_code == 200, listed.text
        (own,) = [one for one in listed.json() if one["current"]]
        assert own["ip"] == address


class SourceAdapter(requests.adapters.HTTPAdapter):
    """Connects from a given loopback address."""

    def __init__(self, address: str) -> None:
        """Keep the address."""
        self._address = address
        super().__init__()

    def init_poolmanager(self, *given: Any, **named: Any) -> None:
        """Make connections that begin at the address."""
        named["source_address"] = (self._address, 0)
        super().init_poolmanager(*given, **named)


@pytest.fixture
def extended(
    vestibule: Server, application: Application, tmp_path: Path
) -> Iterator[Deployment]:
    """Run the shipped file of nginx with two more locations."""
    proxy = Nginx(tmp_path)
    text = shipped(proxy.file).replace("    # The application.\n", ADDED)
    assert "location /open/" in text
    proxy.start(
        text,
        {
            VESTIBULE: f"127.0.0.1:{vestibule.port}",
            APPLICATION: f"127.0.0.1:{application.port}",
        },
    )
    yield Deployment(proxy, vestibule)
    proxy.stop()


@pytest.mark.parametrize("path", ["/reports/a", "/open/a"])
def test_added_location_forwards_no_forged_header(
    extended: Deployment, path: str
) -> None:
    """With a session, and without authentication for an anonymous client."""
    session = f"Cookie: {COOKIE}={extended.sign_in()}".encode()
    for lines in ([session], []):
        if path == "/reports/a" and not lines:
            assert not reached(extended.get(path, PAGE))
            continue
        for header in PROXY_HEADERS:
            for name in spellings(header):
                line = f"{name}: {FORGED}".encode()
                answer = ask(
                    extended.proxy.port, "GET", path.encode(), [*lines, line]
                )
                refused = is_refused(extended, name)
                assert answer.status == (400 if refused else 203), name
                assert FORGED.encode() not in answer.body, name
    shown = headers_of(extended.get("/open/a", PAGE).json())
    assert "remote-user" not in shown
    member = extended.get("/reports/a", PAGE, extended.sign_in()).json()
    assert headers_of(member)["remote-email"] == EMAIL


@pytest.mark.parametrize(
    "path",
    [
        VERIFY,
        f"{VERIFY}/",
        f"{VERIFY}?redirect=off",
        "/api/v1/auth_session/%76erify",
        "/api/v1/auth_session//verify",
        "/api/v1//auth_session/x/../verify",
    ],
)
def test_shipped_file_refuses_verify_from_outside(
    deployment: Deployment, cookie: str, path: str
) -> None:
    """A client cannot fetch an identity token; the proxy asks by itself."""
    line = f"Cookie: {COOKIE}={cookie}".encode()
    answer = ask(deployment.proxy.port, "GET", path.encode(), [line])
    assert answer.status == 404 or b"the application" in answer.body
    assert "remote-user" not in answer.headers
    assert "x-vestibule-identity" not in answer.headers
    assert reached(deployment.get("/page", PAGE, cookie))


def test_shipped_file_refuses_other_hosts(
    deploy: Deploy, tmp_path: Path
) -> None:
    """No identity is signed for a host that a client names."""
    server = Server(
        tmp_path / "server",
        **DB_SESSIONS,
        TRUSTED_PROXIES="127.0.0.1",
        IDENTITY_HEADER="on",
        IDENTITY_HOSTS="127.0.0.1:*,payroll.example.com",
    )
    server.folder.mkdir()
    server.start()
    try:
        server.run(ADD_USER, EMAIL, PASSWORD)
        deployment = deploy(server)
        session = f"Cookie: {COOKIE}={deployment.sign_in()}".encode()
        port = deployment.proxy.port
        for host, path in (
            (b"payroll.example.com", b"/page"),
            (b"127.0.0.2", b"/page"),
            # The request line may name another host than the header.
            (b"payroll.example.com", b"http://127.0.0.1:%d/page" % port),
        ):
            answer = ask_host(port, host, session, path)
            assert b"payroll" not in answer
            if b"://" not in path:
                assert b"the application" not in answer
                assert b"identity" not in answer.lower()
    finally:
        server.stop()


def ask_host(port: int, host: bytes, line: bytes, path: bytes) -> bytes:
    """Return the whole response to a request for `path` on `host`."""
    head = b"GET %b HTTP/1.1\r\nConnection: close\r\n" % path
    with socket.create_connection(("127.0.0.1", port), 30) as wire:
        wire.sendall(head + b"Host: %b\r\n%b\r\n\r\n" % (host, line))
        received = b""
        while part := wire.recv(65_536):
            received += part
    return received
