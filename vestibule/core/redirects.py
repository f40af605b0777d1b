#!/usr/bin/env python3
"""Where a browser may be sent after signing in: pure policy.

Its law: an address is taken whole or not at all. What browsers repair, or
read in another way than this does, is refused (OWASP ASVS 5.0, 3.7.2).
"""

import re
from collections.abc import Collection
from urllib.parse import quote

#: The field of the sign-in page's address that has the address to return to.
RETURN_PARAMETER = "return_to"
#: Characters of an address; honest ones have some hundred.
MAX_URL_LENGTH = 2048

# Printable ASCII, as browsers send it, without the backslash, which they
# read as a slash, and without what ends an address in other texts.
_REST = r"[!#-;=?-\[\]-~]*"
_PATH = re.compile(rf"/(?![/\\]){_REST}")
_ADDRESS = re.compile(
    r"(?P<scheme>https?)://"
    r"(?P<host>(?:[a-z0-9.-]+|\[[0-9a-f:.]+\])(?::[0-9]{1,5})?)"
    rf"(?P<path>/{_REST})?"
)
_DEFAULT_PORTS = {"http": ":80", "https": ":443"}


def safe_redirect(
    address: str | None, hosts: Collection[str] = ()
) -> str | None:
    """Return `address` if a browser may be sent there, else `None`.

    It is a path of this very host, or the address of one of `hosts`: names
    in lower case, with a port where it is not the scheme's own.
    """
    if not address or len(address) > MAX_URL_LENGTH:
        return None
    if _PATH.fullmatch(address):
        return address
    found = _ADDRESS.fullmatch(address)
    if found is None:
        return None
    host = found["host"].removesuffix(_DEFAULT_PORTS[found["scheme"]])
    return address if host in hosts else None


def sign_in_url(
    login_url: str,
    forwarded: tuple[str | None, str | None, str | None],
    hosts: Collection[str],
) -> str:
    """Return where to sign in, and from there back to what was asked for.

    `forwarded` are the scheme, host and path that a trusted proxy was
    asked for. Without them, or if the way back is not safe, there is none.
    """
    scheme, host, path = forwarded
    back = safe_redirect(path) if path and path.startswith("/") else None
    if back is not None and not _is_on(host, login_url):
        back = safe_redirect(f"{scheme}://{host}{back}", hosts)
    if back is None:
        return login_url
    joined = "&" if "?" in login_url else "?"
    return f"{login_url}{joined}{RETURN_PARAMETER}={quote(back, safe='/')}"


def _is_on(host: str | None, login_url: str) -> bool:
    """Tell whether one signs in on `host` itself."""
    found = _ADDRESS.fullmatch(login_url)
    return found is None or found["host"] == host
