#!/usr/bin/env python3
"""What is wrong with a running deployment, seen from outside.

Its law: it sends a few harmless requests to the one address it is given,
logs in nowhere, and believes what comes back, not what was set.
"""

from collections.abc import Iterator
from email.message import Message
from http.client import HTTPException
from typing import NamedTuple
from urllib.error import HTTPError, URLError
from urllib.request import HTTPRedirectHandler, Request, build_opener

from vestibule.server.local_checks import CheckResult, Level

#: Seconds that an answer may take.
TIMEOUT_SECONDS = 5
_HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "Cache-Control": "no-store",
    "Content-Security-Policy": "default-src 'none'",
    "Referrer-Policy": "no-referrer",
}


class NoRedirects(HTTPRedirectHandler):
    """Shows redirects instead of following them to another host."""

    def redirect_request(self, *args: object) -> None:
        """Follow nothing."""


class Answer(NamedTuple):
    """What is looked at of an answer."""

    status: int
    headers: Message


def check_deployment(url: str) -> Iterator[CheckResult]:
    """Yield what the service at `url` is found to be."""
    if not url.startswith(("http://", "https://")):
        yield CheckResult(
            Level.WRONG,
            f"{url} is no address of the web",
            "give --url https://...",
        )
        return
    try:
        status = _ask(f"{url.rstrip('/')}/api/v1/status")
        users = _ask(f"{url.rstrip('/')}/api/v1/users")
        foreign = _ask(
            f"{url.rstrip('/')}/api/v1/auth_session/login",
            "POST",
            {"Origin": "https://evil.example"},
        )
    except (URLError, HTTPException, OSError, ValueError) as error:
        yield CheckResult(
            Level.WRONG,
            f"{url} does not answer: {error}",
            "is the server running, and the address right?",
        )
        return
    if status.status != 200:
        yield CheckResult(
            Level.WRONG,
            f"GET /api/v1/status answers {status.status}",
            "does the proxy send all of /api/v1/ to the service?",
        )
        return
    yield CheckResult(Level.GOOD, "the service answers")
    yield from _doors(users, foreign)
    yield from _headers(url, status)


def _doors(users: Answer, foreign: Answer) -> Iterator[CheckResult]:
    """Look at what somebody without a credential reaches."""
    if users.status == 401:
        yield CheckResult(Level.GOOD, "users are shown to nobody unknown")
    else:
        yield CheckResult(
            Level.WRONG,
            f"GET /api/v1/users answers {users.status} to everybody",
            "set AUTH_TYPE",
        )
    if foreign.status == 403:
        yield CheckResult(
            Level.GOOD, "a login that another site sends is refused"
        )
    else:
        yield CheckResult(
            Level.WRONG,
            f"a login that another site sends is answered {foreign.status}",
            "let the proxy pass Origin, Host and Sec-Fetch-Site on unchanged",
        )


def _headers(url: str, status: Answer) -> Iterator[CheckResult]:
    """Look at the headers that browsers are protected by."""
    for name, begin in _HEADERS.items():
        if not (status.headers.get(name) or "").startswith(begin):
            yield CheckResult(
                Level.WRONG,
                f"{name} is {status.headers.get(name)!r}",
                "let the proxy pass the headers of answers on unchanged",
            )
    if status.headers.get("Access-Control-Allow-Credentials"):
        yield CheckResult(
            Level.WRONG,
            "other sites may read answers with the cookies of a user",
            "take Access-Control-Allow-Credentials out of the proxy",
        )
    if url.startswith("http://"):
        yield CheckResult(
            Level.WEAK,
            "the connection is not encrypted",
            "put the service behind a proxy with TLS",
        )
    elif status.headers.get("Strict-Transport-Security") is None:
        yield CheckResult(
            Level.WRONG,
            "the service does not know that clients come by TLS",
            "TRUSTED_PROXIES=<address of the proxy>, which has to send"
            " X-Forwarded-Proto",
        )


def _ask(
    url: str, method: str = "GET", headers: dict[str, str] | None = None
) -> Answer:
    """Send one request and return its answer, errors of HTTP too."""
    request = Request(url, method=method, headers=headers or {})
    try:
        with build_opener(NoRedirects).open(
            request, timeout=TIMEOUT_SECONDS
        ) as answer:
            return Answer(answer.status, answer.headers)
    except HTTPError as error:
        with error:
            return Answer(error.code, error.headers)
