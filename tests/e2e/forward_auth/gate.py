#!/usr/bin/env python3
"""A whole gate: a proxy, the application behind it, and Vestibule."""

import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import requests
from websockets.exceptions import InvalidStatus
from websockets.sync.client import ClientConnection, connect

from tests.e2e.forward_auth.proxies import Proxy, is_open
from tests.e2e.forward_auth.upstream import MARK
from tests.e2e.server.test_throttle import From
from tests.e2e.server.waiting import wait_until
from tests.ports import free_port
from tests.serving import COOKIE, ROOT, Server

LOGIN = "/api/v1/auth_session/login"
LOGOUT = "/api/v1/auth_session/logout"
SESSIONS = "/api/v1/auth_session/sessions"
EMAIL = "bob@hbtn.io"
PASSWORD = "H0lbertonSchool98!"

#: What a browser says as it loads a page.
PAGE = {
    "Accept": "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;"
    "q=0.8",
    "Sec-Fetch-Mode": "navigate",
    "Sec-Fetch-Dest": "document",
    "Sec-Fetch-Site": "none",
}
#: What browsers said that knew no Fetch Metadata.
OLD_PAGE = {"Accept": PAGE["Accept"]}
#: What a browser says for a script of a page.
FETCH = {
    "Accept": "*/*",
    "Sec-Fetch-Mode": "cors",
    "Sec-Fetch-Dest": "empty",
    "Sec-Fetch-Site": "same-origin",
}


class Application:
    """The application on a port of its own, until `stop`."""

    def __init__(self) -> None:
        """Start it and wait until it takes requests."""
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
class Gate:
    """What a visitor meets, and the server that is asked about him."""

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
        """Send a request through the proxy, from an `address` of ours."""
        headers = dict(rest.pop("headers", {}))
        if cookie is not None:
            headers["Cookie"] = f"{COOKIE}={cookie}"
        with requests.Session() as session:
            session.mount("http://", From(address))
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
        """Get a path as a client with these headers would."""
        return self.request("GET", path, cookie, headers=headers)

    def sign_in(self, address: str = "127.0.0.1", **headers: str) -> str:
        """Log in through the proxy, as a page does; return the cookie."""
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
        self, cookie: str | None = None, **headers: str
    ) -> Iterator[ClientConnection]:
        """Open a websocket through the proxy; raise if it is refused.

        On a socket that is there already no redirect is followed.
        """
        if cookie is not None:
            headers["Cookie"] = f"{COOKIE}={cookie}"
        address = "127.0.0.1", self.proxy.port
        with (
            socket.create_connection(address, 30) as wire,
            connect(
                f"ws://127.0.0.1:{self.proxy.port}/socket",
                sock=wire,
                additional_headers=headers,
            ) as websocket,
        ):
            yield websocket

    def refusal(self, cookie: str | None = None, **headers: str) -> int:
        """Return the status by which a websocket is refused, or 101."""
        try:
            with self.websocket(cookie, **headers):
                return 101
        except InvalidStatus as refused:
            return refused.response.status_code


def reached(response: requests.Response) -> bool:
    """Tell whether an answer comes from the application."""
    return MARK in response.text


def headers_of(shown: dict[str, Any]) -> dict[str, str]:
    """Return the headers that the application has seen, none doubled."""
    pairs = [(name.lower(), value) for name, value in shown["headers"]]
    assert len(dict(pairs)) == len(pairs), pairs
    return dict(pairs)
