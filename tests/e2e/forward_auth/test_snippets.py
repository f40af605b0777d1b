#!/usr/bin/env python3
"""The pieces of configuration that the README shows."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.e2e.forward_auth.certificates import write_certificate
from tests.e2e.forward_auth.gate import (
    EMAIL,
    FETCH,
    LOGIN,
    LOGOUT,
    PAGE,
    PASSWORD,
    SESSIONS,
    Gate,
)
from tests.e2e.forward_auth.proxies import PROXIES, VESTIBULE
from tests.e2e.forward_auth.test_forged import guessing
from tests.e2e.server.conftest import ADD_USER
from tests.e2e.server.wire import ask
from tests.serving import COOKIE, ROOT, Server

CONTENT = "<!doctype html><title>Only for us</title>"


def snippet(language: str, page: str = "README.md") -> str:
    """Return the one piece in a proxy's language on a page."""
    (found,) = re.findall(
        rf"^```{language}\n(.*?)^```$",
        (ROOT / page).read_text(),
        re.MULTILINE | re.DOTALL,
    )
    return str(found)


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with the files of a site."""
    folder = tmp_path_factory.mktemp("site")
    (folder / "index.html").write_text(CONTENT)
    (folder / "secret.txt").write_text(CONTENT)
    return folder


@contextmanager
def before(
    name: str, server: Server, files: Path, folder: Path, tls: bool = False
) -> Iterator[Gate]:
    """Run a proxy with its piece of the page before a folder of files."""
    proxy = PROXIES[name](folder)
    if tls:
        proxy.tls = write_certificate(folder)
    proxy.start(
        snippet(proxy.language),
        {
            VESTIBULE: f"127.0.0.1:{server.port}",
            "/srv/site": str(files),
        },
    )
    try:
        yield Gate(proxy, server)
    finally:
        proxy.stop()


@pytest.fixture(scope="module")
def site(
    name: str,
    vestibule: Server,
    files: Path,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Gate]:
    """Run a site that asks the Vestibule of all tests."""
    folder = tmp_path_factory.mktemp(name)
    with before(name, vestibule, files, folder) as gate:
        yield gate


@pytest.mark.parametrize("language", ["nginx", "caddyfile"])
def test_it_is_as_short_as_it_is_said_to_be(language: str) -> None:
    """A reader sees ten lines of it at most, but for those of a brace."""
    lines = [
        line for line in snippet(language).splitlines() if line.strip("\t }")
    ]
    assert len(lines) <= 10


@pytest.mark.parametrize("language", ["nginx", "caddyfile"])
def test_the_guide_shows_the_same(language: str) -> None:
    """The guide's page has the same configuration as the README."""
    page = "docs/forward-authentication.md"
    assert snippet(language, page) == snippet(language)


def test_who_is_signed_in_sees_the_files(site: Gate) -> None:
    """By the session of a login through the same proxy."""
    cookie = site.sign_in()
    for headers in (PAGE, FETCH, {}):
        for path in ("/", "/secret.txt"):
            answer = site.get(path, headers, cookie)
            assert (answer.status_code, answer.text) == (200, CONTENT)
    assert site.request("DELETE", LOGOUT, cookie).status_code == 200
    assert site.get("/", PAGE, cookie).status_code == 302
    assert site.get("/secret.txt", FETCH, cookie).status_code == 401


@pytest.mark.parametrize("method", ["GET", "HEAD", "POST", "PUT"])
def test_who_is_not_sees_none(site: Gate, method: str) -> None:
    """A page leads to the sign-in page and back, all else is refused."""
    for path in ("/", "/index.html", "/secret.txt", "/missing"):
        answer = site.request(method, path, headers=PAGE, data=b"x" * 9)
        assert answer.status_code == 302
        assert answer.headers["Location"] == f"/sign-in?return_to={path}"
        answer = site.request(method, path, headers=FETCH, data=b"x" * 9)
        assert answer.status_code == 401
        assert CONTENT not in answer.text


@pytest.mark.parametrize(
    "target",
    [
        b"/sign-in/../secret.txt",
        b"//secret.txt",
        b"/sign-in/secret.txt",
        b"/api/v1/auth_session/../../../secret.txt",
        b"/_verify",
        b"/api/v1/auth_session/%2e%2e/%2e%2e/%2e%2e/secret.txt",
    ],
)
def test_no_detour_leads_to_the_files(site: Gate, target: bytes) -> None:
    """What needs no session is no way to what does."""
    answer = ask(site.proxy.port, "GET", target)
    assert answer.status in (301, 307, 308, 400, 401, 403, 404)
    assert CONTENT.encode() not in answer.body
    if target == b"/_verify" and site.proxy.program == "nginx":
        # The address of the question is nobody else's.
        assert answer.status == 404


@pytest.mark.parametrize(
    "name_of_header", ["X-Forwarded-For", "X_Forwarded_For", "X-Forwarded_For"]
)
def test_addresses_cannot_be_forged(site: Gate, name_of_header: str) -> None:
    """Vestibule knows the client's address, not one that it made up."""
    cookie = site.sign_in("127.0.0.2", **{name_of_header: "203.0.113.9"})
    listed = site.vestibule.request("GET", SESSIONS, cookie).json()
    assert [one["ip"] for one in listed if one["current"]] == ["127.0.0.2"]


def test_a_body_neither_opens_nor_blocks(site: Gate) -> None:
    """It is not sent to Vestibule, and Vestibule does not wait for it."""
    cookie = site.sign_in()
    line = f"Cookie: {COOKIE}={cookie}".encode()
    answer = ask(site.proxy.port, "POST", b"/", [line], b"x" * 100_000)
    # Caddy 2.6 shows a file whatever the method is.
    assert answer.status in (200, 405)


def test_tls_is_told_to_vestibule(
    name: str, vestibule: Server, files: Path, tmp_path: Path
) -> None:
    """The cookie of a site under TLS is kept to TLS."""
    with before(name, vestibule, files, tmp_path, tls=True) as gate:
        entered = gate.request(
            "POST",
            LOGIN,
            verify=str(tmp_path / "certificate.pem"),
            data={"email": EMAIL, "password": PASSWORD},
            headers={"Origin": gate.proxy.url},
        )
        assert "; Secure" in entered.headers["Set-Cookie"]


def test_credentials_are_throttled_by_the_client_s_address(
    name: str, files: Path, tmp_path: Path
) -> None:
    """Where each request proves the password, the question is an attempt."""
    server = Server(
        tmp_path,
        AUTH_TYPE="basic_auth",
        THROTTLE="on",
        TRUSTED_PROXIES="127.0.0.1",
    ).start()
    try:
        server.run(ADD_USER, EMAIL, PASSWORD)
        with before(name, server, files, tmp_path) as gate:
            guessing(gate, "/", 200)
    finally:
        server.stop()


def test_no_file_is_seen_while_vestibule_is_down(
    name: str, files: Path, tmp_path: Path
) -> None:
    """A proxy that can ask nobody shows nothing."""
    with before(name, Server(tmp_path), files, tmp_path) as gate:
        for headers in (PAGE, FETCH):
            answer = gate.get("/", headers, "anything")
            assert answer.status_code >= 500
            assert CONTENT not in answer.text
