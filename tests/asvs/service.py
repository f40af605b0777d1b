#!/usr/bin/env python3
"""A server whose session cookie has a chosen name."""

import json
import time
from pathlib import Path
from typing import Any

import requests

from tests.serving import LOGIN, ME, Server

#: A password that is valid under every profile.
GOOD = "violet umbrella 7 kites"
EVIL = "https://evil.example"


class Service(Server):
    """A server whose client writes the session cookie into the header.

    HTTP clients do not send a `Secure` cookie over the unencrypted connections
    of the tests.
    """

    def __init__(self, folder: Path, name: str, **settings: str) -> None:
        """Prepare a server whose session cookie has this name."""
        self.cookie_name = name
        settings.setdefault("AUTH_TYPE", "session_db_auth")
        super().__init__(folder, SESSION_NAME=name, **settings)

    def start(self, preexec: Any = None) -> "Service":
        """Start it and wait for the line that says it runs."""
        super().start(preexec)
        return self

    def request(
        self, method: str, path: str, cookie: str | None = None, **rest: Any
    ) -> requests.Response:
        """Send one request on a connection of its own; no redirects."""
        if cookie is not None:
            rest["headers"] = {
                "Cookie": f"{self.cookie_name}={cookie}",
                **rest.get("headers", {}),
            }
        return super().request(method, path, **rest)

    def post_login(
        self,
        email: str,
        password: str,
        cookie: str | None = None,
        **headers: str,
    ) -> requests.Response:
        """Send a login form, optionally with a cookie and headers."""
        return self.request(
            "POST",
            LOGIN,
            cookie,
            data={"email": email, "password": password},
            headers=headers,
        )

    def login(self, email: str, password: str) -> str:
        """Log in and return the session id of the cookie."""
        response = self.post_login(email, password)
        assert response.status_code == 200, response.text
        return self.token(response)

    def token(self, response: requests.Response) -> str:
        """Return the session id that a response sets."""
        name, _, rest = response.headers["Set-Cookie"].partition("=")
        assert name == self.cookie_name
        return rest.partition(";")[0]

    def events_of(self, user_id: str) -> list[str]:
        """Return the events of a user in the security log so far."""
        return [
            str(one["event"])
            for one in self.events()
            if one.get("user") == user_id
        ]

    def events(self) -> list[dict[str, Any]]:
        """Return the security log so far, once it has stopped growing."""
        before = -1
        while before != len(self.output):
            before = len(self.output)
            time.sleep(0.1)
        return [json.loads(line) for line in self.output if line[:1] == "{"]

    def status(self, cookie: str) -> int:
        """Return the status of `users/me` for a cookie: 200 or 403."""
        return self.request("GET", ME, cookie).status_code


def set_password(
    server: Service, cookie: str, current: str, new: str
) -> requests.Response:
    """Request a change of the user's password."""
    return server.request(
        "PUT",
        f"{ME}/password",
        cookie,
        json={
            "current_password": current,
            "new_password": new,
        },
    )
