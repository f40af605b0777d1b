#!/usr/bin/env python3
"""The three applications, from the wheel, on three hosts of two domains.

The shipped gates of nginx and Caddy stand before them. The names lead to
this machine by the test's own resolver.
"""

import re
import socket
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any, NamedTuple
from urllib.parse import urlsplit

import pytest
import requests

from tests.e2e.forward_auth.proxies import (
    APPLICATION,
    VESTIBULE,
    Caddy,
    Nginx,
    Proxy,
    shipped,
)
from tests.e2e.install.bare import Bare
from tests.e2e.install.test_three_applications import (
    PAGE_LOAD,
    PASSWORD,
    SCRIPT,
    Place,
    installed,
    served,
)
from tests.ports import free_port
from tests.serving import COOKIE

#: The fixtures create an environment and start servers.
pytestmark = pytest.mark.timeout(400)
AUTH = "auth.vestibule.test"
HOSTS: dict[str, tuple[str, type[Proxy]]] = {
    "flask_notes": ("notes.vestibule.test", Nginx),
    "fastapi_notes": ("live.other.test", Caddy),
    "django_notes": ("wiki.other.test", Nginx),
}
PATHS = {"flask_notes": "/notes?page=2&sort=new", "django_notes": "/notes"}


class Sites(NamedTuple):
    """The installation, and the address of each application's host."""

    place: Place
    urls: dict[str, str]

    def page(self, name: str) -> str:
        """Return the address of a page for signed-in users."""
        return self.urls[name] + PATHS.get(name, "/")


@pytest.fixture(scope="module")
def resolver() -> Iterator[None]:
    """Let every name that ends in `.test` lead to this machine."""
    real = socket.getaddrinfo

    def found(host: Any, *more: Any, **named: Any) -> Any:
        """Return the addresses of a host."""
        is_ours = isinstance(host, str) and host.endswith(".test")
        return real("127.0.0.1" if is_ours else host, *more, **named)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(socket, "getaddrinfo", found)
        yield


@pytest.fixture(scope="module")
def sites(
    environments: Callable[[str], Bare],
    resolver: None,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Sites]:
    """Run the service, the applications, and a gate before each."""
    tmp_path = tmp_path_factory.mktemp("sites")
    with ExitStack() as running:
        gates = {name: free_port() for name in HOSTS}
        listed = [f"{HOSTS[name][0]}:{port}" for name, port in gates.items()]
        place = running.enter_context(
            installed(
                environments,
                tmp_path,
                APP_HOSTS=",".join(listed),
                LOGIN_URL=f"http://{AUTH}:%s/sign-in",
                TRUSTED_PROXIES="127.0.0.1",
                ALLOWED_RETURN_HOSTS="",
            )
        )
        urls = {}
        for name, (host, kind) in HOSTS.items():
            folder = tmp_path / host
            folder.mkdir()
            proxy = kind(folder)
            proxy.port = gates[name]
            proxy.host = host
            proxy.names = {
                "server_name app.example.com;": f"server_name {host};"
            }
            running.enter_context(served(place, name, PAGES_URL=""))
            proxy.start(
                shipped(proxy.file),
                {
                    VESTIBULE: f"127.0.0.1:{place.vestibule.port}",
                    APPLICATION: f"127.0.0.1:{place.ports[name]}",
                },
            )
            running.callback(proxy.stop)
            assert proxy.port == gates[name]
            urls[name] = f"http://{host}:{proxy.port}"
        yield Sites(place, urls)


def sign_in(sites: Sites, email: str, url: str) -> requests.Session:
    """Return a browser that opened a page, signed in and came back."""
    browser = requests.Session()
    browser.headers.update(PAGE_LOAD)
    form = browser.get(url, timeout=60)
    assert urlsplit(form.url).hostname == AUTH
    back = re.search(r'name="return_to" value="([^"]+)"', form.text)
    assert back is not None
    entries = {"email": email, "password": PASSWORD}
    entries["return_to"] = back[1].replace("&amp;", "&")
    page = browser.post(
        f"http://{AUTH}:{sites.place.vestibule.port}/sign-in",
        entries,
        timeout=60,
    )
    assert (page.status_code, page.url) == (200, url)
    return browser


def shown(browser: requests.Session, url: str) -> str:
    """Return the page at which the browser ends, "" for the sign-in page."""
    page = browser.get(url, timeout=60)
    if urlsplit(page.url).hostname == AUTH:
        return ""
    assert page.url == url
    return page.text


def test_applications_share_one_sign_in_and_lose_it_together(
    sites: Sites,
) -> None:
    """Each host has its own cookie; the form of one signs out of all."""
    pages = {name: sites.page(name) for name in HOSTS}
    bob = sign_in(sites, "bob@example.com", pages["flask_notes"])
    for page in pages.values():
        assert "Hello Bob" in shown(bob, page)
    own = [each for each in bob.cookies if each.name == COOKIE]
    assert len(own) == len({each.value for each in own}) == 4
    assert {each.domain for each in own} == {AUTH} | {
        host for host, _ in HOSTS.values()
    }
    for name, url in sites.urls.items():
        api = bob.get(f"{url}/api/notes", headers=SCRIPT, timeout=60)
        assert api.json() == {"notes": []}, name
        assert bob.get(f"{url}/admin/", timeout=60).status_code == 403
    form = re.search(
        r'<form method="post" action="([^"]+)"',
        shown(bob, pages["django_notes"]),
    )
    assert form is not None and form[1] == "/sign-out"
    out = bob.post(sites.urls["django_notes"] + form[1], timeout=60)
    assert urlsplit(out.url).path == "/signed-out"
    for name, page in pages.items():
        notes = f"{sites.urls[name]}/api/notes"
        refused = bob.get(notes, headers=SCRIPT, timeout=60)
        assert refused.status_code == 401, name
        assert shown(bob, page) == ""


def test_admins_and_forged_headers_at_each_host(sites: Sites) -> None:
    """A gate drops the headers; an admin opens the pages for admins."""
    forged = {"Remote-User": "ada", "Remote-Groups": "admin"}
    for url in sites.urls.values():
        answer = requests.get(
            f"{url}/api/notes", headers=SCRIPT | forged, timeout=60
        )
        assert answer.status_code in (400, 401)
    ada = sign_in(sites, "ada@example.com", sites.page("django_notes"))
    for url in sites.urls.values():
        assert shown(ada, f"{url}/admin/") != ""


def test_applications_are_closed_while_vestibule_is_down(
    sites: Sites,
) -> None:
    """No host shows a page, and each does again afterwards."""
    bob = sign_in(sites, "bob@example.com", sites.page("flask_notes"))
    pages = [sites.page(name) for name in HOSTS]
    assert all("Hello Bob" in shown(bob, page) for page in pages)
    assert sites.place.vestibule.stop() == 0
    for name in HOSTS:
        for url in (sites.urls[name], sites.place.url(name)):
            api = f"{url}/api/notes"
            answer = bob.get(api, headers=SCRIPT, timeout=60)
            assert answer.status_code in (401, 500, 502, 503), url
            assert '"notes"' not in answer.text
    sites.place.vestibule.start()
    assert all("Hello Bob" in shown(bob, page) for page in pages)
