#!/usr/bin/env python3
"""An application whose clients write the session cookie themselves."""

from collections.abc import Callable
from typing import Any

from werkzeug.test import TestResponse

from tests.app.api import service
from tests.app.api.service import cookie_name
from tests.serving import LOGIN, ME
from vestibule.api import app as app_module

#: A password that is valid under every profile.
GOOD = "violet umbrella 7 kites"
EVIL = "https://evil.example"
Logged = Callable[[], list[dict[str, Any]]]


class Service:
    """An application in this process, and its security log."""

    def __init__(self, built: service.Service, logged: Logged) -> None:
        """Keep the application and what returns its log."""
        self._built = built
        self.events = logged

    def request(
        self, method: str, path: str, cookie: str | None = None, **rest: Any
    ) -> TestResponse:
        """Send one request, optionally with a session."""
        headers = {**rest.pop("headers", {})}
        if cookie is not None:
            headers["Cookie"] = f"{cookie_name()}={cookie}"
        # A test may have built another application meanwhile.
        vars(app_module)["auth"] = self._built.mechanism
        client = self._built.app.test_client(use_cookies=False)
        return client.open(path, method=method, headers=headers, **rest)

    def post_login(
        self,
        email: str,
        password: str,
        cookie: str | None = None,
        address: str = "127.0.0.1",
        **headers: str,
    ) -> TestResponse:
        """Send a login form, optionally with a cookie and headers."""
        return self.request(
            "POST",
            LOGIN,
            cookie,
            data={"email": email, "password": password},
            headers=headers,
            environ_base={"REMOTE_ADDR": address},
        )

    def login(self, email: str, password: str) -> str:
        """Log in and return the session id of the cookie."""
        response = self.post_login(email, password)
        assert response.status_code == 200, response.text
        return self.token(response)

    def token(self, response: TestResponse) -> str:
        """Return the session id that a response sets."""
        name, _, rest = response.headers["Set-Cookie"].partition("=")
        assert name == cookie_name()
        return rest.partition(";")[0]

    def events_of(self, user_id: str) -> list[str]:
        """Return the events of a user in the security log so far."""
        return [
            str(one["event"])
            for one in self.events()
            if one.get("user") == user_id
        ]

    def status(self, cookie: str) -> int:
        """Return the status of `users/me` for a cookie: 200 or 403."""
        return self.request("GET", ME, cookie).status_code


def refused(response: TestResponse) -> int:
    """Check a 429 response; return its `Retry-After` in seconds."""
    assert response.status_code == 429
    assert response.get_json() == {"error": "Too Many Requests"}
    assert "Set-Cookie" not in response.headers
    return int(response.headers["Retry-After"])


def set_password(
    server: Service, cookie: str, current: str, new: str
) -> TestResponse:
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
