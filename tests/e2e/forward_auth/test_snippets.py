#!/usr/bin/env python3
"""The proxy configurations that the README shows."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.e2e.forward_auth.certificates import write_certificate
from tests.e2e.forward_auth.deployment import (
    EMAIL,
    FETCH,
    PAGE,
    PASSWORD,
    Deployment,
)
from tests.e2e.forward_auth.proxies import PROXIES, VESTIBULE
from tests.e2e.forward_auth.test_forged_headers import (
    assert_basic_is_throttled,
)
from tests.e2e.server.wire import ask
from tests.serving import COOKIE, LOGIN, LOGOUT, ROOT, SESSIONS, Server

CONTENT = "<!doctype html><title>Only for us</title>"


def snippet(language: str, page: str = "README.md") -> str:
    """Return the only code block in a proxy's language on a page."""
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
) -> Iterator[Deployment]:
    """Run a proxy with a page's snippet in front of a folder of files."""
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
        yield Deployment(proxy, server)
    finally:
        proxy.stop()


@pytest.fixture(scope="module")
def site(
    name: str,
    vestibule: Server,
    files: Path,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Deployment]:
    """Run a site that uses the Vestibule of all tests."""
    folder = tmp_path_factory.mktemp(name)
    with before(name, vestibule, files, folder) as deployment:
        yield deployment


@pytest.mark.parametrize("language", ["nginx", "caddyfile"])
def test_snippet_is_short(language: str) -> None:
    """It has at most 20 lines, which a page does not cut off."""
    lines = [
        line for line in snippet(language).splitlines() if line.strip("\t }")
    ]
    assert len(lines) <= 20
    if language == "nginx":
        assert max(map(len, lines)) <= 100


@pytest.mark.parametrize("language", ["nginx", "caddyfile"])
def test_guide_shows_same_snippet(language: str) -> None:
    """The guide has the same configuration as the README."""
    page = "docs/forward-authentication.md"
    assert snippet(language, page) == snippet(language)


def test_session_opens_files(site: Deployment) -> None:
    """A login through the same proxy opens the files until the logout."""
    cookie = site.sign_in()
    for headers in (PAGE, FETCH, {}):
        for path in ("/", "/secret.txt"):
            answer = site.get(path, headers, cookie)
            assert (answer.status_code, answer.text) == (200, CONTENT)
    assert site.request("DELETE", LOGOUT, cookie).status_code == 200
    assert site.get("/", PAGE, cookie).status_code == 302
    assert site.get("/secret.txt", FETCH, cookie).status_code == 401


@pytest.mark.parametrize("method", ["GET", "HEAD", "POST", "PUT"])
def test_files_need_a_session(site: Deployment, method: str) -> None:
    """A page load redirects to the sign-in page; all else is refused."""
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
def test_path_tricks_do_not_reach_files(
    site: Deployment, target: bytes
) -> None:
    """No open path leads to a protected file."""
    answer = ask(site.proxy.port, "GET", target)
    assert answer.status in (301, 307, 308, 400, 401, 403, 404)
    assert CONTENT.encode() not in answer.body
    if target == b"/_verify" and site.proxy.program == "nginx":
        # nginx's location for verify is internal.
        assert answer.status == 404


@pytest.mark.parametrize(
    "name_of_header", ["X-Forwarded-For", "X_Forwarded_For", "X-Forwarded_For"]
)
def test_snippet_forwards_real_client_address(
    site: Deployment, name_of_header: str
) -> None:
    """Vestibule stores the client's address, not a forged one."""
    cookie = site.sign_in("127.0.0.2", **{name_of_header: "203.0.113.9"})
    listed = site.vestibule.request("GET", SESSIONS, cookie).json()
    assert [one["ip"] for one in listed if one["current"]] == ["127.0.0.2"]


def test_body_is_not_sent_to_vestibule(site: Deployment) -> None:
    """Vestibule neither gets the body nor waits for it."""
    cookie = site.sign_in()
    line = f"Cookie: {COOKIE}={cookie}".encode()
    answer = ask(site.proxy.port, "POST", b"/", [line], b"x" * 100_000)
    # Caddy 2.6 serves a file for any method.
    assert answer.status in (200, 405)


def test_snippet_with_tls_makes_cookie_secure(
    name: str, vestibule: Server, files: Path, tmp_path: Path
) -> None:
    """The cookie of a site with TLS is `Secure`."""
    with before(name, vestibule, files, tmp_path, tls=True) as deployment:
        entered = deployment.request(
            "POST",
            LOGIN,
            verify=str(tmp_path / "certificate.pem"),
            data={"email": EMAIL, "password": PASSWORD},
            headers={"Origin": deployment.proxy.url},
        )
        assert "; Secure" in entered.headers["Set-Cookie"]


def test_snippet_throttles_basic_auth_by_client_address(
    name: str, files: Path, tmp_path: Path, with_basic: Server
) -> None:
    """With Basic credentials each proxied request is a login attempt."""
    with before(name, with_basic, files, tmp_path) as deployment:
        assert_basic_is_throttled(deployment, "/", 200)


def test_files_are_closed_while_vestibule_is_down(
    name: str, files: Path, tmp_path: Path
) -> None:
    """The proxy fails closed."""
    with before(name, Server(tmp_path), files, tmp_path) as deployment:
        for headers in (PAGE, FETCH):
            answer = deployment.get("/", headers, "anything")
            assert answer.status_code >= 500
            assert CONTENT not in answer.text
