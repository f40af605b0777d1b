#!/usr/bin/env python3
"""ASVS 14.2.2 and 14.3.2: a shared cache stores no personal response."""

from collections.abc import Iterator
from pathlib import Path

import pytest
import requests

from tests.asvs.service import Service
from tests.e2e.forward_auth.proxies import Nginx
from tests.e2e.server.accounts import account
from tests.serving import ME, SESSIONS, USERS

#: A cache that stores all it may, and one that ignores our headers: it
#: shows that the first test can fail.
CACHING = """
proxy_cache_path cache keys_zone=all:1m inactive=1h;
proxy_cache_valid any 1h;
proxy_cache all;
server {
    listen 80;
    location / { proxy_pass http://vestibule; }
    location /careless/ {
        proxy_pass http://vestibule/;
        proxy_cache_key careless$request_uri;
        proxy_ignore_headers Cache-Control Vary Expires Set-Cookie;
    }
}
"""


@pytest.fixture
def cache(tmp_path: Path, hardened: Service) -> Iterator[Nginx]:
    """Run a caching nginx in front of the hardened server."""
    proxy = Nginx(tmp_path)
    proxy.start(CACHING, {"vestibule": f"127.0.0.1:{hardened.port}"})
    yield proxy
    proxy.stop()


def ask(
    cache: Nginx, path: str, cookie: str | None = None
) -> requests.Response:
    """Send a request through the cache, optionally with a session."""
    headers = {} if cookie is None else {"Cookie": f"__Host-session={cookie}"}
    return requests.get(cache.url + path, headers=headers, timeout=30)


@pytest.mark.parametrize("first", ["a member", "anonymous"])
def test_v14_3_2_cache_serves_no_response_of_another_user(
    cache: Nginx, first: str
) -> None:
    """Each user gets their own response, whichever request came first."""
    one, other = account("admin"), account()
    for path in (ME, SESSIONS, f"{USERS}/{one.id}", USERS):
        if first == "anonymous":
            assert ask(cache, path).status_code == 401
        for _ in range(2):
            answer = ask(cache, path, one.session_id)
            assert answer.status_code == 200
        response = ask(cache, path, other.session_id)
        assert response.text != answer.text
        assert one.email not in response.text
        assert ask(cache, path).status_code == 401
    assert ask(cache, ME, one.session_id).json()["id"] == one.id
    assert ask(cache, ME, other.session_id).json()["id"] == other.id


def test_v14_3_2_cache_without_headers_would_serve_it(cache: Nginx) -> None:
    """Without our headers the second user gets the first one's response."""
    one, other = account(), account()
    for user in (one, other):
        answer = ask(cache, f"/careless{ME}", user.session_id)
        assert answer.json()["id"] == one.id
