#!/usr/bin/env python3
"""The guide's paths with rules of their own, with forged headers."""

import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.forward_auth.conftest import trusting
from tests.e2e.forward_auth.deployment import (
    EMAIL,
    PAGE,
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
    IDENTITY_HEADERS,
    PROXY_HEADERS,
    is_refused,
    spellings,
)
from tests.e2e.server.wire import ask
from tests.serving import COOKIE, ROOT, Server

GUIDE = "docs/forward-authentication.md"
#: A line of each shipped file, before which the guide's lines stand.
BEFORE = {
    "nginx": "    # The application.\n",
    "caddy": "\t# The application: everything",
}
#: A body that is larger than nginx takes without a line about it.
LARGE = b"x" * 3_000_000
MAKE_ADMIN = """
from models.user import User
(user,) = User.search({"email": "bob@hbtn.io"})
user.role = "%s"
user.save()
"""
#: Requests for a page of admins, in the spellings of one path.
ADMIN_PATHS = [
    "/admin",
    "/admin/",
    "/admin/users",
    "/ADMIN/users",
    "//admin/users",
    "/%61dmin/users",
    "/public/../admin/users",
    "/public/%2e%2e/admin/users",
    "/x/..//admin/",
    "/admin?role=member",
    "/admin/?redirect=off&role=member#",
]
#: Requests that are not for the public path, though they begin like it.
NOT_PUBLIC = [
    "/publicx/a",
    "/public/../page",
    "/public/%2e%2e/page",
    "/public/..%2fpage",
    "/public/x/../../page",
]


def path_lines(language: str) -> str:
    """Return the guide's block `nginx-paths` or `caddyfile-paths`."""
    (found,) = re.findall(
        rf"^```{language}-paths\n(.*?)^```$",
        (ROOT / GUIDE).read_text(),
        re.MULTILINE | re.DOTALL,
    )
    return str(found)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """Run a Vestibule whose one user changes roles."""
    with trusting(tmp_path_factory.mktemp("server")) as running:
        yield running


@pytest.fixture(scope="module")
def paths(
    name: str,
    application: Application,
    server: Server,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Deployment]:
    """Run the shipped file of each proxy with the guide's lines."""
    proxy = PROXIES[name](tmp_path_factory.mktemp(name))
    text = shipped(proxy.file)
    assert text.count(BEFORE[name]) == 1
    lines = path_lines(proxy.language).replace("100MB", "4MB")
    proxy.start(
        text.replace(BEFORE[name], lines + BEFORE[name]),
        {
            VESTIBULE: f"127.0.0.1:{server.port}",
            APPLICATION: f"127.0.0.1:{application.port}",
        },
    )
    yield Deployment(proxy, server)
    proxy.stop()


@pytest.fixture(scope="module")
def member(paths: Deployment) -> str:
    """Return the session of a user who is a member at first."""
    return paths.sign_in()


def raw_status(deployment: Deployment, path: str, *lines: str) -> int:
    """Return the status of a GET whose path is sent as it is."""
    answer = ask(
        deployment.proxy.port,
        "GET",
        path.encode(),
        [line.encode() for line in lines],
    )
    return answer.status


def test_public_path_needs_no_session(paths: Deployment, member: str) -> None:
    """The application is reached, and no user is named to it."""
    for cookie in (None, member):
        shown = paths.get("/public/a", PAGE, cookie)
        assert reached(shown)
        named = headers_of(shown.json())
        assert not [name for name in named if name.startswith("remote")]


@pytest.mark.parametrize("path", NOT_PUBLIC)
def test_path_beside_public_one_needs_a_session(
    paths: Deployment, path: str
) -> None:
    """No spelling leads out of the public path."""
    assert raw_status(paths, path) == 401


def test_path_of_a_role_opens_for_it_alone(
    paths: Deployment, member: str
) -> None:
    """A member gets 403 there; the same session passes as an admin's."""
    session = f"Cookie: {COOKIE}={member}"
    for path in ADMIN_PATHS:
        assert raw_status(paths, path) == 401, path
        assert raw_status(paths, path, session) == 403, path
    assert raw_status(paths, "/administration", session) == 203
    assert raw_status(paths, "/page", session) == 203
    paths.vestibule.run(MAKE_ADMIN % "admin")
    try:
        for path in ADMIN_PATHS:
            assert raw_status(paths, path, session) == 203, path
        shown = headers_of(paths.get("/admin", PAGE, member).json())
        assert shown["remote-groups"] == "admin"
    finally:
        paths.vestibule.run(MAKE_ADMIN % "member")
    assert raw_status(paths, "/admin/", session) == 403


def test_page_of_a_role_leads_to_sign_in(paths: Deployment) -> None:
    """A browser without a session signs in as for other pages."""
    shown = paths.get("/admin/users", PAGE)
    assert shown.status_code == 302
    assert shown.headers["Location"].endswith("return_to=/admin/users")


def test_role_of_one_request_does_not_stay(
    paths: Deployment, member: str
) -> None:
    """Requests of one connection are decided each by its own path."""
    session = f"Cookie: {COOKIE}={member}"
    for path, status in (("/admin/", 403), ("/page", 203)) * 3:
        assert raw_status(paths, path, session) == status


@pytest.mark.parametrize(
    "path", ["/public/a", "/upload/a", "/page", "/admin/a", "/team/a"]
)
def test_path_forwards_no_forged_header(
    paths: Deployment, member: str, path: str
) -> None:
    """No spelling of a header of the proxy arrives from the client."""
    session = f"Cookie: {COOKIE}={member}".encode()
    opened = 403 if path == "/admin/a" else 203
    for header in PROXY_HEADERS:
        for name in spellings(header):
            line = f"{name}: {FORGED}".encode()
            answer = ask(
                paths.proxy.port, "GET", path.encode(), [session, line, line]
            )
            refused = is_refused(paths, name)
            assert answer.status == (400 if refused else opened), name
            assert FORGED.encode() not in answer.body, name


def test_large_body_passes_where_it_may(
    paths: Deployment, member: str
) -> None:
    """A body that is too large is refused, from any client."""
    sent = paths.request("POST", "/upload/a", member, data=LARGE)
    assert sent.json()["length"] == len(LARGE)
    refused = paths.request("POST", "/upload/a", data=LARGE)
    assert refused.status_code == 401
    limited = (
        ("/page", LARGE)
        if paths.proxy.program == "nginx"
        else ("/upload/a", LARGE * 2)
    )
    answer = paths.request("POST", limited[0], member, data=limited[1])
    assert not reached(answer)
    assert answer.status_code in (413, 502)


def test_websocket_of_a_path_names_the_user(
    paths: Deployment, member: str
) -> None:
    """It opens with a session only, and for the user of the session."""
    forged = {"Remote_User": FORGED, "X-Forwarded-For": FORGED}
    with paths.websocket(member, "/live/a", **forged) as socket:
        shown = str(socket.recv(10))
    assert FORGED not in shown
    assert headers_of(json.loads(shown))["remote-email"] == EMAIL
    assert raw_status(paths, "/live/a", "Upgrade: websocket") == 401


def test_event_arrives_while_the_response_is_open(
    paths: Deployment, member: str
) -> None:
    """A stream needs a session, and no event waits for the next one."""
    assert paths.get("/events/a", {}).status_code == 401
    shown = paths.request("GET", "/events/a", member, stream=True, headers={})
    with shown:
        assert shown.status_code == 203
        first = next(shown.iter_content(8))
    assert first == b"data: th"


def test_location_with_headers_of_its_own_gets_no_forged_identity(
    server: Server, application: Application, tmp_path: Path
) -> None:
    """A location that inherits no header, by a mistake that is easy to
    make, names no user of the client's choice.
    """
    proxy = Nginx(tmp_path)
    own = (
        "    location /own/ { proxy_pass http://application;"
        " proxy_set_header Upgrade $http_upgrade; }\n"
        "    location /open/ { proxy_pass http://application;"
        " auth_request off; proxy_set_header X-Mine yes; }\n"
    )
    text = shipped(proxy.file)
    proxy.start(
        text.replace(BEFORE["nginx"], own + BEFORE["nginx"]),
        {
            VESTIBULE: f"127.0.0.1:{server.port}",
            APPLICATION: f"127.0.0.1:{application.port}",
        },
    )
    deployment = Deployment(proxy, server)
    try:
        session = f"Cookie: {COOKIE}={deployment.sign_in()}".encode()
        for path in (b"/own/a", b"/open/a"):
            for header in IDENTITY_HEADERS:
                for name in spellings(header):
                    line = f"{name}: {FORGED}".encode()
                    answer = ask(proxy.port, "GET", path, [session, line])
                    assert FORGED.encode() not in answer.body, name
            assert ask(proxy.port, "GET", path, [session]).status == 203
    finally:
        proxy.stop()
