#!/usr/bin/env python3
"""Responses of curl as text, as the contract's transcripts show them.

Responses are compared as text; only ids and times are masked.
"""

import re
import shutil
import subprocess
from typing import NamedTuple

from werkzeug.test import TestResponse

from tests.backends import missing
from tests.serving import COOKIE, Server

#: The script that adds the user of the session transcripts.
ADD_BOB = """
from models.user import User
user = User(email="bobsession@hbtn.io")
user.password = "fake pwd"
user.save()
print(user.id)
"""
_TIME = re.compile(r'"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d"')
_ID = re.compile(
    r"[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}"
    r"-[0-9a-f]{12}"
)


class CurlResponse(NamedTuple):
    """A response as `curl -i` prints it."""

    status: int
    headers: list[tuple[str, str]]
    body: str

    def values(self, name: str) -> list[str]:
        """Return the values of each header called `name`."""
        return [value for key, value in self.headers if key == name.lower()]


def curl(url: str, *options: str) -> CurlResponse:
    """Request `url` with the real curl and return what it printed."""
    if shutil.which("curl") is None:
        missing("curl")
    done = subprocess.run(
        ["curl", "-s", "-i", "--max-time", "30", *options, url],
        capture_output=True,
        text=True,
        check=True,
    )
    head, _, body = done.stdout.partition("\n\n")
    first, *lines = head.splitlines()
    pairs = (line.partition(":") for line in lines)
    headers = [(name.lower(), value.strip()) for name, _, value in pairs]
    return CurlResponse(int(first.split()[1]), headers, body)


def ask(server: Server, path: str, *options: str) -> tuple[int, str]:
    """Send a request to our `server` by curl; return status and body."""
    answer = curl(server.url + path, *options)
    check_headers(
        answer.values("Access-Control-Allow-Origin"),
        answer.values("Access-Control-Allow-Credentials"),
    )
    return answer.status, answer.body


def reply(response: TestResponse) -> tuple[int, str]:
    """Return status and body of a JSON response."""
    assert response.headers["Content-Type"] == "application/json"
    credentials = response.headers.get("Access-Control-Allow-Credentials")
    check_headers(
        [response.headers["Access-Control-Allow-Origin"]],
        [] if credentials is None else [credentials],
    )
    return response.status_code, response.text


def check_headers(origins: list[str], credentials: list[str]) -> None:
    """Fail unless any origin may read it, without credentials."""
    assert origins == ["*"]
    assert credentials == []


def error(text: str) -> str:
    """Return the body of an error with this text."""
    return f'{{\n  "error": "{text}"\n}}\n'


def masked(text: str) -> str:
    """Return `text` with `<id>` and `<time>` in place of ids and times."""
    return _ID.sub("<id>", _TIME.sub('"<time>"', text))


def user_text(
    email: str, first_name: str = "null", last_name: str = "null"
) -> str:
    """Return a user as the API shows it, masked; names are JSON values."""
    return (
        "{\n"
        '  "created_at": "<time>",\n'
        f'  "email": "{email}",\n'
        f'  "first_name": {first_name},\n'
        '  "id": "<id>",\n'
        f'  "last_name": {last_name},\n'
        '  "updated_at": "<time>"\n'
        "}\n"
    )


def session_cookie(set_cookie: list[str], name: str = COOKIE) -> str:
    """Return the session id of the only `Set-Cookie`; check its flags."""
    (header,) = set_cookie
    pair, *flags = header.split("; ")
    assert sorted(flags) == ["HttpOnly", "Path=/", "SameSite=Lax"]
    key, _, value = pair.partition("=")
    assert key == name
    assert _ID.fullmatch(value)
    return value
