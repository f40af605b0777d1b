#!/usr/bin/env python3
"""The checks of a running service from outside, through its proxy.

They send four harmless requests to one address, without credentials. The
results depend on the responses alone, not on the settings.
"""

from collections.abc import Iterator
from email.message import Message
from http.client import HTTPException
from typing import NamedTuple
from urllib.error import HTTPError, URLError
from urllib.parse import urlsplit
from urllib.request import HTTPRedirectHandler, Request, build_opener

from vestibule.checks.settings import CheckResult, Level

#: Seconds to wait for a response.
TIMEOUT_SECONDS = 5
_HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "Cache-Control": "no-store",
    "Content-Security-Policy": "default-src 'none'",
    "Referrer-Policy": "no-referrer",
}


class NoRedirects(HTTPRedirectHandler):
    """Returns redirects instead of following them to another host."""

    def redirect_request(self, *args: object) -> None:
        """Follow no redirect."""


class Response(NamedTuple):
    """The parts of a response that the checks read."""

    status: int
    headers: Message


def check_deployment(url: str) -> Iterator[CheckResult]:
    """Yield the results for the service at `url`."""
    if not url.startswith(("http://", "https://")):
        yield CheckResult(
            "deployment.url",
            Level.WRONG,
            f"{url} is not a web address",
            "give --url https://...",
        )
        return
    try:
        status = _send(f"{url.rstrip('/')}/api/v1/status")
        users = _send(f"{url.rstrip('/')}/api/v1/users")
        foreign_login = _send(
            f"{url.rstrip('/')}/api/v1/auth_session/login",
            "POST",
            {"Origin": "https://evil.example"},
        )
        own_login = _send(
            f"{url.rstrip('/')}/api/v1/auth_session/login",
            "POST",
            {"Origin": _origin_of(url)},
        )
    except (URLError, HTTPException, OSError, ValueError) as error:
        yield CheckResult(
            "deployment.reachable",
            Level.WRONG,
            f"{url} does not answer: {error}",
            "is the server running, and is the address right?",
        )
        return
    if status.status != 200:
        yield CheckResult(
            "deployment.reachable",
            Level.WRONG,
            f"GET /api/v1/status answers {status.status}",
            "does the proxy send all of /api/v1/ to the service?",
        )
        return
    yield CheckResult(
        "deployment.reachable", Level.GOOD, "the service answers"
    )
    yield from _access(users, foreign_login)
    yield from _own_origin(_origin_of(url), own_login)
    yield from _headers(status)
    yield from _encryption(url, status)


def _access(users: Response, foreign_login: Response) -> Iterator[CheckResult]:
    """Check what a client without credentials reaches."""
    if users.status == 401:
        yield CheckResult(
            "deployment.users",
            Level.GOOD,
            "anonymous clients cannot list the users",
        )
    else:
        yield CheckResult(
            "deployment.users",
            Level.WRONG,
            f"GET /api/v1/users answers {users.status} to anonymous clients",
            "set AUTH_TYPE",
        )
    if foreign_login.status == 403:
        yield CheckResult(
            "deployment.csrf",
            Level.GOOD,
            "a login that another site sends is refused",
        )
    else:
        yield CheckResult(
            "deployment.csrf",
            Level.WRONG,
            "a login that another site sends is answered"
            f" {foreign_login.status}",
            "let the proxy pass Origin, Host and Sec-Fetch-Site on unchanged",
        )


def _own_origin(origin: str, own_login: Response) -> Iterator[CheckResult]:
    """Check that a login from the service's own pages is not refused."""
    if own_login.status == 403:
        yield CheckResult(
            "deployment.origin",
            Level.WRONG,
            f"a login with the Origin of the service itself, {origin}, is"
            " refused: the service was reached under another host",
            "let the proxy pass Host on unchanged, with its port; or name it"
            " in TRUSTED_PROXIES and let it send X-Forwarded-Host",
        )
    else:
        yield CheckResult(
            "deployment.origin",
            Level.GOOD,
            "a login from the service's own pages is accepted",
        )


def _origin_of(url: str) -> str:
    """Return the origin of `url` as a browser sends it."""
    parts = urlsplit(url)
    host = parts.netloc.rpartition("@")[2].lower()
    default = {"http": ":80", "https": ":443"}[parts.scheme]
    return f"{parts.scheme}://{host.removesuffix(default)}"


def _headers(status: Response) -> Iterator[CheckResult]:
    """Check that the headers that protect browsers get through."""
    for name, start in _HEADERS.items():
        if not (status.headers.get(name) or "").startswith(start):
            yield CheckResult(
                "deployment.headers",
                Level.WRONG,
                f"{name} is {status.headers.get(name)!r}",
                "let the proxy pass response headers on unchanged",
            )
    if status.headers.get("Access-Control-Allow-Credentials"):
        yield CheckResult(
            "deployment.cors",
            Level.WRONG,
            "other sites can read responses with the cookies of a user",
            "remove Access-Control-Allow-Credentials from the proxy",
        )


def _encryption(url: str, status: Response) -> Iterator[CheckResult]:
    """Check that clients connect over TLS, and that the service knows."""
    if url.startswith("http://"):
        yield CheckResult(
            "deployment.tls",
            Level.WEAK,
            "the connection is not encrypted",
            "put the service behind a proxy with TLS",
        )
    elif status.headers.get("Strict-Transport-Security") is None:
        yield CheckResult(
            "deployment.tls",
            Level.WRONG,
            "the service does not know that clients connect over TLS",
            "TRUSTED_PROXIES=<address of the proxy>, which has to send"
            " X-Forwarded-Proto",
        )


def _send(
    url: str, method: str = "GET", headers: dict[str, str] | None = None
) -> Response:
    """Send one request and return its response, also if it is an error."""
    request = Request(url, method=method, headers=headers or {})
    try:
        with build_opener(NoRedirects).open(
            request, timeout=TIMEOUT_SECONDS
        ) as response:
            return Response(response.status, response.headers)
    except HTTPError as error:
        with error:
            return Response(error.code, error.headers)
