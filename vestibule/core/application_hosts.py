#!/usr/bin/env python3
"""The hosts of applications: their addresses, and what their sessions may do.

An application's host never sees the session of the sign-in host. It gets a
session of its own by a hand-over, which leads the browser in this order:

1. `/vestibule/session?return_to=PATH` of the application's host sets a
   cookie, the state, if the browser has none;
2. the sign-in page, whose `return_to` is that address with the digest of
   the state, adds a one-time code to it once the user is signed in;
3. the same path with the code sets the session cookie, and leads to PATH.

docs/decisions/0018-sessions-of-several-hosts.md has the reasons.
"""

import re
from collections.abc import Mapping
from typing import Any, NamedTuple
from urllib.parse import parse_qs, urlencode, urlsplit

from vestibule.core import page_settings, settings
from vestibule.core.redirects import (
    MAX_URL_LENGTH,
    RETURN_PARAMETER,
    SIGN_IN_PATH,
    safe_redirect,
)
from vestibule.core.request_headers import forwarded_target, own_hosts

#: Where a proxy sends requests of an application's host to Vestibule.
OWN_PREFIX = "/vestibule/"
SESSION_PATH = "/vestibule/session"
SIGN_OUT_PATH = "/vestibule/sign-out"
#: The only paths of the API that accept the session of an application: it
#: identifies the user. The application itself gets the cookie, so it must
#: not give access to the account.
_IDENTITY_PATHS = frozenset(
    {
        "/api/v1/auth_session/verify",
        "/api/v1/users/me",
        "/api/v1/users/me/access",
    }
)
_STATE = re.compile(r"[0-9a-f]{64}")


class HandOver(NamedTuple):
    """An address of an application's host that waits for a code."""

    origin: str
    host: str
    #: The digest of the cookie of the browser, in hex digits.
    state: str
    return_path: str

    def url_with_code(self, code: str) -> str:
        """Return the address at which the code is used."""
        return f"{self.origin}{SESSION_PATH}?{urlencode({'code': code})}"

    def __repr__(self) -> str:
        """Leave the state out."""
        return f"HandOver({self.origin})"


def application_host(environ: Mapping[str, Any]) -> str | None:
    """Return the listed host that a request is for, or `None`."""
    listed = page_settings.APP_HOSTS.read()
    if not listed:
        return None
    return next((host for host in own_hosts(environ) if host in listed), None)


def is_for_host(session_host: str, environ: Mapping[str, Any]) -> bool:
    """Return True if a session of `session_host` counts for a request.

    A gate names the host that it guards, and that must be it. Without a
    gate, an application asks by some address of the service, and learns
    only whose session it has; but it never counts on another listed host.
    """
    listed, own = page_settings.APP_HOSTS.read(), own_hosts(environ)
    if session_host in own or session_host not in listed:
        return session_host in listed
    is_gate = forwarded_target(environ).path is not None
    return not is_gate and set(listed).isdisjoint(own)


def may_use_path(method: str, path: str | None) -> bool:
    """Return True if the session of an application may be used there."""
    stripped = (path or "").rstrip("/")
    return stripped in (SESSION_PATH, SIGN_OUT_PATH) or (
        method in ("GET", "HEAD") and stripped in _IDENTITY_PATHS
    )


def sign_in_host_url(path: str, **query: str) -> str:
    """Return the URL of a page of the service on the sign-in host."""
    base = (settings.LOGIN_URL.read() or "").removesuffix(SIGN_IN_PATH)
    return f"{base}{path}?{urlencode(query)}" if query else base + path


def session_url(origin: str, back: str | None, **more: str) -> str:
    """Return the address on an application's host that begins a hand-over.

    `back` is the path to return to; one that is no safe path, or too long
    to be passed on, becomes `/`.
    """
    safe = safe_redirect(back)
    if safe is None or not safe.startswith("/") or _is_own(safe):
        safe = "/"
    for path in (safe, "/"):
        query = urlencode({RETURN_PARAMETER: path, **more})
        url = f"{origin}{SESSION_PATH}?{query}"
        if len(url) <= MAX_URL_LENGTH:
            break
    return url


def parse_hand_over(url: str | None) -> HandOver | None:
    """Return the hand-over that `url` waits for, or `None`.

    `url` must be a safe redirect. `None` unless it is on a listed host, and
    has one state and one path.
    """
    parts = urlsplit(url or "")
    host = _without_default_port(parts.scheme, parts.netloc)
    if parts.path != SESSION_PATH or (
        host not in page_settings.APP_HOSTS.read()
    ):
        return None
    query = parse_qs(parts.query, keep_blank_values=True)
    state, back = query.get("state", []), query.get(RETURN_PARAMETER, [])
    if query.keys() != {"state", RETURN_PARAMETER}:
        return None
    if len(state) != 1 or len(back) != 1 or not _STATE.fullmatch(state[0]):
        return None
    path = safe_redirect(back[0])
    if path is None or not path.startswith("/") or _is_own(path):
        return None
    return HandOver(f"{parts.scheme}://{parts.netloc}", host, state[0], path)


def hand_over_start(url: str | None) -> str | None:
    """Return where the hand-over to the application at `url` begins.

    `url` must be a safe redirect. `None` unless it is on a listed host.
    """
    parts = urlsplit(url or "")
    host = _without_default_port(parts.scheme, parts.netloc)
    if host not in page_settings.APP_HOSTS.read():
        return None
    path = parts._replace(scheme="", netloc="").geturl()
    return session_url(f"{parts.scheme}://{parts.netloc}", path or "/")


def _is_own(path: str) -> bool:
    """Return True for a path of the hand-over itself, which would loop."""
    return path.startswith(OWN_PREFIX)


def _without_default_port(scheme: str, netloc: str) -> str:
    """Return a host without the default port of its scheme."""
    return netloc.removesuffix(":443" if scheme == "https" else ":80")
