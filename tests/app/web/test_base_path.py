#!/usr/bin/env python3
"""The service below a path of its host: links, redirects, cookies."""

import re
from typing import Any

import pytest
from flask import Flask
from werkzeug.middleware.dispatcher import DispatcherMiddleware
from werkzeug.test import Client

from tests.app.api.conftest import Build
from tests.app.api.service import PASSWORD, Service, stored_user
from tests.app.web.browser import HEADERS
from tests.serving import LOGIN, ME, VERIFY

BASE = "/auth"
#: Paths of pages; an admin may open all of them.
PAGES = (
    "/account",
    "/account/delete",
    "/account/sessions",
    "/account/activity",
    "/admin",
    "/admin/users/add",
    "/admin/sessions",
    "/admin/sessions/end-all",
    "/admin/events",
    "/admin/figures",
    "/sign-in",
    "/sign-out",
    "/nothing",
)
_LINK = re.compile(r'(?:href|src|action)="(/[^"]*)"')

#: How the prefix reaches the service: by the setting, with a proxy that
#: passes it on or removes it, by a trusted proxy, by a WSGI server.
KINDS = ("kept", "removed", "forwarded", "mounted")


def without_prefix(application: Any) -> Any:
    """Return `application` behind a proxy that removes the prefix."""

    def proxied(environ: dict[str, Any], start_response: Any) -> Any:
        """Pass the request on with the rest of its path."""
        environ["PATH_INFO"] = environ["PATH_INFO"].removeprefix(BASE)
        return application(environ, start_response)

    return proxied


class Host:
    """A host at which the service is below `BASE`."""

    def __init__(self, kind: str, build: Build, **settings: str) -> None:
        """Build a service that learns the prefix in one way."""
        self.kind = kind
        if kind in ("kept", "removed"):
            settings["BASE_PATH"] = f"{BASE}/"
        if kind == "forwarded":
            settings["TRUSTED_PROXIES"] = "127.0.0.1"
        self.service: Service = build(
            "session_db_auth", WEB_PAGES="on", **settings
        )
        app: Any = self.service.app
        if kind == "mounted":
            app = DispatcherMiddleware(Flask("other"), {BASE: app})
        if kind in ("removed", "forwarded"):
            app = without_prefix(app)
        self.client = Client(app)

    def request(self, method: str, path: str, **more: Any) -> Any:
        """Send a request for a `path` below the prefix."""
        headers = HEADERS | more.pop("headers", {})
        if self.kind == "forwarded":
            headers["X-Forwarded-Prefix"] = f"{BASE}/"
        return self.client.open(
            BASE + path,
            method=method,
            headers=headers,
            environ_overrides={"REMOTE_ADDR": "127.0.0.1"},
            **more,
        )

    def sign_in(self, **more: str) -> Any:
        """Sign an admin in."""
        form = {"email": stored_user("admin").email, "password": PASSWORD}
        return self.request("POST", "/sign-in", data=form | more)


@pytest.fixture(params=KINDS)
def host(request: pytest.FixtureRequest, build: Build) -> Host:
    """Return a host with each way to learn the prefix."""
    return Host(request.param, build, REGISTRATION="open", AUTHZ_POLICY="self")


def test_each_link_of_each_page_begins_with_the_base_path(host: Host) -> None:
    """So do style sheet, script, logo and forms."""
    assert host.sign_in().status_code == 303
    count = 0
    for path in PAGES:
        answer = host.request("GET", path)
        assert answer.status_code in (200, 404), path
        links = _LINK.findall(answer.text)
        assert len(links) > 5, path
        for link in links:
            assert link.startswith(f"{BASE}/"), (path, link)
            assert not link.startswith(f"{BASE}{BASE}"), (path, link)
        count += len(links)
    assert count > 100


def test_pages_of_a_user_and_of_a_list_keep_the_base_path(host: Host) -> None:
    """Links that the code builds have it as the templates have."""
    host.sign_in()
    for _ in range(30):
        user = stored_user()
    for path in (f"/admin/users/{user.id}", f"/admin/users/{user.id}/disable"):
        links = _LINK.findall(host.request("GET", path).text)
        assert f"{BASE}/admin" in links
        assert all(link.startswith(f"{BASE}/") for link in links)
    answer = host.request("GET", "/admin?role=member")
    pages = re.findall(r'rel="next" href="([^"]*)"', answer.text)
    assert [page.partition("?")[0] for page in pages] == [f"{BASE}/admin"]
    following = pages[0].removeprefix(BASE).replace("&amp;", "&")
    assert host.request("GET", following).status_code == 200


def test_assets_are_served_below_the_base_path(host: Host) -> None:
    """The browser gets what the links of a page name."""
    stored_user()
    page = host.request("GET", "/sign-in").text
    files = set(re.findall(rf'"{BASE}(/vestibule/assets/[^"]*)"', page))
    assert len(files) == 3
    for file in files:
        assert host.request("GET", file).status_code == 200


def test_redirects_lead_below_the_base_path(host: Host) -> None:
    """From the root, before and after sign-in, after a form, at the end."""
    stored_user()
    get = [
        host.request("GET", path).headers["Location"]
        for path in ("/", "/account/sessions?x=1", "/sign-out")
    ]
    assert get == [
        f"{BASE}/sign-in",
        f"{BASE}/sign-in?return_to=%2Fauth%2Faccount%2Fsessions%3Fx%3D1",
        f"{BASE}/signed-out",
    ]
    assert host.sign_in().headers["Location"] == f"{BASE}/account"
    back = host.sign_in(return_to=f"{BASE}/account/sessions")
    assert back.headers["Location"] == f"{BASE}/account/sessions"
    # A page of another application on the host.
    away = host.sign_in(return_to="/wiki/page")
    assert away.headers["Location"] == "/wiki/page"
    changed = host.request("POST", "/account/name", data={"first_name": "A"})
    assert changed.headers["Location"] == f"{BASE}/account"
    ended = host.request("POST", "/sign-out")
    assert ended.headers["Location"] == f"{BASE}/signed-out"


def test_cookies_below_the_base_path(host: Host) -> None:
    """The session is for the host, a flash message for the pages alone."""
    session = host.sign_in().headers["Set-Cookie"]
    assert "; Path=/;" in f"{session};"
    changed = host.request("POST", "/account/name", data={"first_name": "A"})
    assert f"; Path={BASE};" in f"{changed.headers['Set-Cookie']};"
    shown = host.request("GET", "/account")
    assert "Your name was saved." in shown.text
    assert f"; Path={BASE};" in f"{shown.headers['Set-Cookie']};"
    assert "Your name was saved." not in host.request("GET", "/account").text


def test_api_below_the_base_path(host: Host) -> None:
    """Login, the user, the description and the page that shows it."""
    form = {"email": stored_user().email, "password": PASSWORD}
    assert host.request("GET", ME).status_code == 401
    assert host.request("POST", LOGIN, data=form).status_code == 200
    for _ in range(2):
        assert host.request("GET", ME).get_json()["email"] == form["email"]
    described = host.request("GET", "/openapi.json").get_json()
    assert [server["url"] for server in described["servers"]] == [BASE]
    links = _LINK.findall(host.request("GET", "/docs").text)
    assert len(links) == 4
    for link in links:
        found = host.request("GET", link.removeprefix(BASE))
        assert link.startswith(f"{BASE}/") and found.status_code == 200


@pytest.mark.parametrize("kind", ["kept", "removed", "mounted"])
def test_forward_authentication_leads_to_sign_in_below_the_base_path(
    build: Build, kind: str
) -> None:
    """The way back is the path of the application, without the prefix."""
    host = Host(kind, build, TRUSTED_PROXIES="127.0.0.1")
    headers = {"X-Forwarded-Uri": "/wiki/page"}
    answer = host.request("GET", VERIFY, headers=headers)
    assert answer.status_code == 302
    assert answer.headers["Location"] == (
        f"{BASE}/sign-in?return_to=/wiki/page"
    )
    host.sign_in()
    assert host.request("GET", VERIFY, headers=headers).status_code == 200


def test_forward_authentication_ignores_the_prefix_of_an_application(
    build: Build,
) -> None:
    """A proxy that asks about an application below a path states its path."""
    host = Host("forwarded", build)
    answer = host.request("GET", VERIFY)
    assert answer.headers["Location"] == "/sign-in"


@pytest.mark.parametrize("path", ["/api/v1/status", "/healthz", "/sign-in"])
def test_paths_without_the_base_path_are_served_too(
    build: Build, path: str
) -> None:
    """Health checks come from beside the proxy."""
    stored_user()
    host = Host("removed", build)
    assert host.request("GET", path).status_code == 200


@pytest.mark.parametrize("path", ["/authentic/sign-in", "/auth2", "/x/auth/"])
def test_path_that_only_resembles_the_base_path_is_not_found(
    build: Build, path: str
) -> None:
    """The prefix ends at a slash or at the end of the path."""
    host = Host("removed", build)
    assert host.request("GET", path).status_code == 404


@pytest.mark.parametrize(
    "prefix",
    [
        "//evil.example",
        "/\\evil.example",
        "\\evil.example",
        "https://evil.example",
        "evil.example",
        "/a, /b",
        "/a b",
        "/a?b",
        "/a#b",
        '/a"b',
        "/a<b>",
        "/../a",
        "/a/..",
        "/a//b",
        "/%2e",
        "/ÿ",
        "/",
        "",
        "/" + "a" * 2_000,
    ],
)
def test_forwarded_prefix_that_is_no_path_is_ignored(
    build: Build, prefix: str
) -> None:
    """No client can make a page link to another host."""
    stored_user()
    host = Host("forwarded", build)
    sent = {
        **HEADERS,
        "X-Forwarded-Prefix": prefix,
    }
    answer = host.client.get(
        "/", headers=sent, environ_overrides={"REMOTE_ADDR": "127.0.0.1"}
    )
    assert answer.headers["Location"] == "/sign-in"


def test_forwarded_prefix_of_an_untrusted_peer_is_ignored(
    build: Build,
) -> None:
    """Only a trusted proxy may state it."""
    stored_user()
    host = Host("forwarded", build)
    answer = host.client.get(
        "/",
        headers={**HEADERS, "X-Forwarded-Prefix": BASE},
        environ_overrides={"REMOTE_ADDR": "192.0.2.7"},
    )
    assert answer.headers["Location"] == "/sign-in"


def test_forwarded_prefix_opens_no_other_path(build: Build) -> None:
    """A client cannot reach verify past the rules of a proxy with it."""
    host = Host("forwarded", build)
    answer = host.request("GET", f"{BASE}{VERIFY}")
    assert answer.status_code == 404


@pytest.mark.parametrize("mounted", ["//evil.example", "///evil.example"])
def test_odd_script_name_leads_to_no_other_host(
    build: Build, mounted: str
) -> None:
    """Browsers would read it as another host."""
    stored_user()
    host = Host("removed", build)
    answer = host.client.get(
        "/", headers=HEADERS, environ_overrides={"SCRIPT_NAME": mounted}
    )
    assert answer.headers["Location"] == "/sign-in"
