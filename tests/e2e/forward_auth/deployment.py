#!/usr/bin/env python3
"""A deployment: a proxy, the application behind it, and Vestibule."""

import re
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import requests
from websockets.exceptions import InvalidStatus
from websockets.sync.client import ClientConnection, connect

from tests.e2e.forward_auth.proxies import Proxy, is_open
from tests.e2e.forward_auth.upstream import MARK
from tests.e2e.server.test_throttle import SourceAddressAdapter
from tests.e2e.server.waiting import wait_until
from tests.ports import free_port
from tests.serving import COOKIE, LOGIN, ROOT, Server

EMAIL = "bob@hbtn.io"
PASSWORD = "H0lbertonSchool98!"

#: Request headers of a browser that loads a page.
PAGE = {
    "Accept": "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;"
    "q=0.8",
    "Sec-Fetch-Mode": "navigate",
    "Sec-Fetch-Dest": "document",
    "Sec-Fetch-Site": "none",
}
#: Request headers of a browser without Fetch Metadata.
OLD_PAGE = {"Accept": PAGE["Accept"]}
#: Request headers of a script in a page.
FETCH = {
    "Accept": "*/*",
    "Sec-Fetch-Mode": "cors",
    "Sec-Fetch-Dest": "empty",
    "Sec-Fetch-Site": "same-origin",
}


def gunicorn_options() -> list[str]:
    """Return the options for gunicorn that the guide shows."""
    page = (ROOT / "docs/settings.md").read_text()
    (shown,) = re.findall(r"`gunicorn (.*) api\.v1\.app:app`", page)
    return str(shown).split()


def start_gunicorn(
    bind: str, env: dict[str, str], log: Path
) -> "subprocess.Popen[bytes]":
    """Start gunicorn on the address `bind` as the guide does."""
    with log.open("wb") as output:
        return subprocess.Popen(
            [
                sys.executable,
                "-m",
                "gunicorn",
                *gunicorn_options(),
                f"--bind={bind}",
                "--worker-tmp-dir=/dev/shm",
                "api.v1.app:app",
            ],
            cwd=ROOT,
            env=env,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
        )


class Application:
    """The application on a port of its own, until `stop`."""

    def __init__(self) -> None:
        """Start it and wait until it accepts connections."""
        self.port = free_port()
        self._process = subprocess.Popen(
            [
                sys.executable,
                "-m",
                "tests.e2e.forward_auth.upstream",
                str(self.port),
            ],
            cwd=ROOT,
            stdin=subprocess.DEVNULL,
        )
        assert wait_until(30, lambda: is_open(self.port))

    def stop(self) -> None:
        """End it and wait for its end."""
        self._process.terminate()
        self._process.wait(30)


@dataclass(frozen=True)
class Deployment:
    """A proxy that a client connects to, and the Vestibule behind it."""

    proxy: Proxy
    vestibule: Server

    def request(
        self,
        method: str,
        path: str,
        cookie: str | None = None,
        address: str = "127.0.0.1",
        **rest: Any,
    ) -> requests.Response:
        """Send a request through the proxy from a loopback `address`."""
        headers = dict(rest.pop("headers", {}))
        if cookie is not None:
            headers["Cookie"] = f"{COOKIE}={cookie}"
        with requests.Session() as session:
            session.mount("http://", SourceAddressAdapter(address))
            return session.request(
                method,
                self.proxy.url + path,
                headers=headers,
                timeout=30,
                allow_redirects=False,
                **rest,
            )

    def get(
        self, path: str, headers: dict[str, str], cookie: str | None = None
    ) -> requests.Response:
        """Send a GET request with these headers."""
        return self.request("GET", path, cookie, headers=headers)

    def sign_in(self, address: str = "127.0.0.1", **headers: str) -> str:
        """Log in through the proxy like a page does; return the session id."""
        answer = self.request(
            "POST",
            LOGIN,
            address=address,
            headers={"Origin": self.proxy.url, **headers},
            data={"email": EMAIL, "password": PASSWORD},
        )
        assert answer.status_code == 200, answer.text
        return answer.cookies[COOKIE]

    @contextmanager
    def websocket(
        self,
        cookie: str | None = None,
        path: str = "/socket",
        **headers: str,
    ) -> Iterator[ClientConnection]:
        """Open a websocket through the proxy; raise if it is refused.

        The socket is passed in so that the client follows no redirect.
        """
        if cookie is not None:
            headers["Cookie"] = f"{COOKIE}={cookie}"
        address = "127.0.0.1", self.proxy.port
        with (
            socket.create_connection(address, 30) as wire,
            connect(
                f"ws://127.0.0.1:{self.proxy.port}{path}",
                sock=wire,
                additional_headers=headers,
            ) as websocket,
        ):
            yield websocket

    def websocket_status(
        self, cookie: str | None = None, **headers: str
    ) -> int:
        """Return the status of a websocket handshake: 101 if it opens."""
        try:
            with self.websocket(cookie, **headers):
                return 101
        except InvalidStatus as refused:
            return refused.response.status_code


def reached(response: requests.Response) -> bool:
    """Return True if the response comes from the application."""
    return MARK in response.text


def headers_of(shown: dict[str, Any]) -> dict[str, str]:
    """Return the headers that the application saw; each occurs once."""
    pairs = [(name.lower(), value) for name, value in shown["headers"]]
    assert len(dict(pairs)) == len(pairs), pairs
    return dict(pairs)
