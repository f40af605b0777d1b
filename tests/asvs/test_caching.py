#!/usr/bin/env python3
"""ASVS 14.2.2 and 14.3.2: a cache in front keeps nobody's answer."""

from collections.abc import Iterator
from pathlib import Path

import pytest
import requests

from tests.asvs.service import Service
from tests.e2e.forward_auth.proxies import Nginx
from tests.e2e.server.accounts import account
from tests.serving import ME, SESSIONS, USERS

#: A cache that keeps whatever it may, and beside it one that is told to
#: keep what it may not: it shows that the first one would.
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
    """Run nginx, with a cache, in front of the hardened server."""
    proxy = Nginx(tmp_path)
    proxy.start(CACHING, {"vestibule": f"127.0.0.1:{hardened.port}"})
    yield proxy
    proxy.stop()


def ask(
    cache: Nginx, path: str, cookie: str | None = None
) -> requests.Response:
    """Ask through the cache, perhaps with the cookie of a session."""
    headers = {} if cookie is None else {"Cookie": f"__Host-session={cookie}"}
    return requests.get(cache.url + path, headers=headers, timeout=30)


@pytest.mark.parametrize("first", ["a member", "nobody"])
def test_v14_3_2_a_cache_gives_nobody_what_another_got(
    cache: Nginx, first: str
) -> None:
    """Whoever asks first: each gets the own answer, and nobody gets none."""
    one, other = account("admin"), account()
    for path in (ME, SESSIONS, f"{USERS}/{one.id}", USERS):
        if first == "nobody":
            assert ask(cache, path).status_code == 401
        for _ in range(2):
            answer = ask(cache, path, one.session_id)
            assert answer.status_code == 200
        stranger = ask(cache, path, other.session_id)
        assert stranger.text != answer.text
        assert one.email not in stranger.text
        assert ask(cache, path).status_code == 401
    assert ask(cache, ME, one.session_id).json()["id"] == one.id
    assert ask(cache, ME, other.session_id).json()["id"] == other.id


def test_v14_3_2_the_cache_would_keep_it(cache: Nginx) -> None:
    """Without our headers the second one gets what the first one got."""
    one, other = account(), account()
    for user in (one, other):
        answer = ask(cache, f"/careless{ME}", user.session_id)
        assert answer.json()["id"] == one.id
