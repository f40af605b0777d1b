#!/usr/bin/env python3
"""A shared cache stores no personal response (ASVS 14.2.2, 14.3.2)."""

from collections.abc import Iterator
from pathlib import Path

import pytest
import requests

from tests.conftest import Serve
from tests.e2e.forward_auth.proxies import Nginx
from tests.e2e.server.accounts import account
from tests.serving import COOKIE, DB_SESSIONS, ME, SESSIONS

#: A cache that stores all it may, and one that ignores our headers.
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
def cache(tmp_path: Path, serve: Serve) -> Iterator[Nginx]:
    """Run a caching nginx in front of a server."""
    server = serve(**DB_SESSIONS)
    proxy = Nginx(tmp_path)
    proxy.start(CACHING, {"vestibule": f"127.0.0.1:{server.port}"})
    yield proxy
    proxy.stop()


def ask(
    cache: Nginx, path: str, cookie: str | None = None
) -> requests.Response:
    """Send a request through the cache, optionally with a session."""
    headers = {} if cookie is None else {"Cookie": f"{COOKIE}={cookie}"}
    return requests.get(cache.url + path, headers=headers, timeout=30)


def test_shared_cache_serves_no_response_of_another_user(
    cache: Nginx,
) -> None:
    """Each user gets their own response; a cache that ignores our headers
    shows the first one's response to the second.
    """
    one, other = account(), account()
    for path in (ME, SESSIONS):
        for _ in range(2):
            answer = ask(cache, path, one.session_id)
            assert answer.status_code == 200
        response = ask(cache, path, other.session_id)
        assert response.text != answer.text
        assert ask(cache, path).status_code == 401
    assert ask(cache, ME, one.session_id).json()["id"] == one.id
    assert ask(cache, ME, other.session_id).json()["id"] == other.id
    for user in (one, other):
        answer = ask(cache, f"/careless{ME}", user.session_id)
        assert answer.json()["id"] == one.id
