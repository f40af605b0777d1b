#!/usr/bin/env python3
"""The addresses of Vestibule's pages, as an application links to them.

By default the pages are on the application's own host, behind one proxy.
During development they are often on another port.
"""

from collections.abc import Mapping
from html import escape
from typing import Any, NamedTuple
from urllib.parse import quote, urlsplit

from vestibule.core.assurance import Requirement, asked_query
from vestibule.core.errors import InvalidValue
from vestibule.core.redirects import (
    AGAIN_PARAMETER,
    RETURN_PARAMETER,
    SIGN_IN_PATH,
    STEP_UP_PATH,
    beside_sign_in,
    sign_in_url,
)

_SIGN_OUT = "/sign-out"
#: Characters of a path that need no encoding.
_SAFE = "/:@!$&'()*+,;=~"


class Target(NamedTuple):
    """The address that a request is for, as its client sees it."""

    #: "http" or "https".
    scheme: str
    #: With the port, unless it is the default of the scheme.
    host: str
    #: With the mount path, percent-encoded.
    path: str
    query: str = ""

    @property
    def url(self) -> str:
        """Return the path with the query string."""
        return f"{self.path}?{self.query}" if self.query else self.path


class SignInPages:
    """The pages to sign in and to sign out."""

    def __init__(self, address: str = "") -> None:
        """Take the address of the pages, as browsers see it.

        It is empty for the application's own host, a path such as `/auth`
        below which the pages are there, or a URL without a query. Raise
        `InvalidValue` for anything else.
        """
        address = address.rstrip("/")
        if address and not _is_address(address):
            raise InvalidValue(
                "pages",
                "must be a path or look like https://auth.example.com",
                code="invalid",
            )
        self._address = address

    def sign_in_url(self, back: Target | None, again: bool = False) -> str:
        """Return the URL of the sign-in page.

        `back` is where the user returns to. `again` asks for the password
        even if the user is signed in.
        """
        url = self._address + SIGN_IN_PATH
        if again:
            url += f"?{AGAIN_PARAMETER}=on"
        return url if back is None else _with_way_back(url, back)

    def step_up_url(self, demand: Requirement, back: Target | None) -> str:
        """Return the URL of the page that asks a user for more proof.

        `back` is where the user returns to.
        """
        sign_in = self._address + SIGN_IN_PATH
        url = beside_sign_in(sign_in, STEP_UP_PATH, asked_query(demand))
        return url if back is None else _with_way_back(url, back)

    def sign_out_form(self, here: Target, label: str) -> str:
        """Return an HTML form whose button signs the user out.

        On the application's own origin it ends the session at once. The
        service refuses a form of another origin as cross-site, so there
        the button leads to the page that asks to confirm.
        """
        method = "post" if self._is_same_origin(here) else "get"
        back = f"{here.scheme}://{here.host}/" if method == "get" else "/"
        return (
            f'<form method="{method}" action="{escape(self._address)}'
            f'{_SIGN_OUT}"><input type="hidden" name="{RETURN_PARAMETER}"'
            f' value="{escape(back)}"><button>{escape(label)}</button></form>'
        )

    def _is_same_origin(self, here: Target) -> bool:
        """Return True if the pages have the origin of `here`."""
        parts = urlsplit(self._address)
        return not parts.netloc or (parts.scheme, parts.netloc) == here[:2]


def _with_way_back(url: str, back: Target) -> str:
    """Return the URL of a page that leads to `back` afterwards."""
    forwarded = back.scheme, back.host, back.url
    return sign_in_url(url, forwarded, [back.host])


def target_of_environ(environ: Mapping[str, Any]) -> Target:
    """Return the address of a WSGI request."""
    path = environ.get("SCRIPT_NAME", "") + environ.get("PATH_INFO", "")
    return Target(
        environ.get("wsgi.url_scheme", "http"),
        environ.get("HTTP_HOST", ""),
        quoted_path(path),
        environ.get("QUERY_STRING", ""),
    )


def target_of_scope(scope: Mapping[str, Any]) -> Target:
    """Return the address of an ASGI request."""
    path, root = scope["path"], scope.get("root_path", "")
    if path != root and not path.startswith(f"{root}/"):
        # Some servers leave out where the application is mounted.
        path = root + path
    host = dict(scope["headers"]).get(b"host", b"")
    return Target(
        scope.get("scheme", "http"),
        host.decode("latin-1"),
        quote(path.encode("utf-8", "replace"), safe=_SAFE),
        scope.get("query_string", b"").decode("latin-1"),
    )


def quoted_path(path: str) -> str:
    """Return a WSGI path, whose bytes are Latin-1 characters, for a URL."""
    return quote(path.encode("latin-1", "replace"), safe=_SAFE)


def _is_address(address: str) -> bool:
    """Return True if the pages can be at `address`."""
    try:
        parts = urlsplit(address)
        _ = parts.port
    except ValueError:
        return False
    if not address.isascii() or not address.isprintable() or " " in address:
        return False
    if parts.query or parts.fragment or "@" in parts.netloc:
        return False
    if parts.scheme or parts.netloc:
        return parts.scheme in ("http", "https") and bool(parts.hostname)
    return address.startswith("/")
