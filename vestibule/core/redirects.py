#!/usr/bin/env python3
"""Which browsers are redirected to sign in, and where to: no open redirects.

Forward authentication redirects page loads to the sign-in page, and so does
`vestibule.protect` in other applications: they share this rule. A URL to
return to is accepted unchanged or not at all. One that browsers would
repair, or parse in another way than this module, is rejected (OWASP ASVS
5.0, 3.7.2). It needs the standard library only.
"""

import re
from collections.abc import Collection, Mapping
from typing import Any
from urllib.parse import quote, urlencode

#: Characters of an `Accept` or `Accept-Language` header that are parsed;
#: browsers send about a hundred. Parsing 200 kB takes a third of a second.
MAX_ACCEPT_LENGTH = 1000
#: A weight (RFC 9110, section 12.4.2), from 0 to 1.
_WEIGHT = re.compile(r"0(\.[0-9]*)?|1(\.0*)?")
#: The quality of a media type for a client, and how exactly it names it.
_Match = tuple[float, int]
#: The query parameter of the sign-in page with the URL to return to.
RETURN_PARAMETER = "return_to"
#: The query parameter with which the sign-in page asks a signed-in user for
#: the password again, if it is "on".
AGAIN_PARAMETER = "again"
#: The path of the service's own sign-in page, below `BASE_PATH`.
SIGN_IN_PATH = "/sign-in"
#: The path of the page that asks a signed-in user for more proof.
STEP_UP_PATH = "/account/factors/step-up"
#: Characters of a URL to return to, at most.
MAX_URL_LENGTH = 2048
# Printable ASCII, as browsers send it, without the backslash, which they
# read as a slash, and without the delimiters of URLs: quotes, <, >.
_REST = r"[!#-;=?-\[\]-~]*"
_PATH = re.compile(rf"/(?![/\\]){_REST}")
_URL = re.compile(
    r"(?P<scheme>https?)://"
    r"(?P<host>(?:[a-z0-9.-]+|\[[0-9a-f:.]+\])(?::[0-9]{1,5})?)"
    rf"(?P<path>/{_REST})?"
)
_DEFAULT_PORTS = {"http": ":80", "https": ":443"}


def is_page_load(environ: Mapping[str, Any]) -> bool:
    """Return True if a browser will show the response as a page.

    Current browsers send Fetch Metadata; for others `Accept` decides. A
    websocket begins with a GET too.
    """
    if "HTTP_UPGRADE" in environ:
        return False
    mode = environ.get("HTTP_SEC_FETCH_MODE")
    if mode is not None:
        return bool(mode == "navigate")
    return prefers_page(environ)


def prefers_page(environ: Mapping[str, Any]) -> bool:
    """Return True if the client prefers HTML to JSON.

    Browsers name `text/html`; programs that accept anything get JSON.
    """
    header = accept_header(environ, "HTTP_ACCEPT") or ""
    ranges = [_media_range(part) for part in header.lower().split(",")]
    html = _best_match(ranges, "text/html")
    return html[0] > 0 and html > _best_match(ranges, "application/json")


def accept_header(environ: Mapping[str, Any], name: str) -> str | None:
    """Return an `Accept` header; `None` if it is absent or too long."""
    header: str | None = environ.get(name)
    return header if header and len(header) <= MAX_ACCEPT_LENGTH else None


def _media_range(part: str) -> tuple[str, float]:
    """Return a media range and its weight, which is 0 if it is not valid.

    A range with another parameter stays as it is, so that it matches no
    type: ours have none (RFC 9110, section 12.5.1).
    """
    name, *parameters = (piece.strip() for piece in part.split(";"))
    weight = "1"
    for parameter in parameters:
        key, _, value = parameter.partition("=")
        if key.strip() != "q":
            name = f"{name};{parameter}"
        else:
            weight = value.strip()
    return name, float(weight) if _WEIGHT.fullmatch(weight) else 0.0


def _best_match(ranges: list[tuple[str, float]], media_type: str) -> _Match:
    """Return how a client weights a media type.

    The most specific range counts, of equal ones the heaviest.
    """
    kind = media_type.partition("/")[0]
    by_specificity = ("*/*", f"{kind}/*", media_type)
    found = [
        (by_specificity.index(name), weight)
        for name, weight in ranges
        if name in by_specificity
    ]
    if not found:
        return 0.0, -1
    specificity, weight = max(found)
    return weight, specificity


def safe_redirect(
    url: str | None, hosts: Collection[str] = (), by_tls: bool = False
) -> str | None:
    """Return `url` if a browser may be redirected there, else `None`.

    It must be a path of this host, or a URL on one of the `hosts`: names in
    lower case; the default port of the scheme may be left out. If the
    browser came `by_tls`, a URL without TLS is refused: an attacker on the
    network could replace the page that it leads to.
    """
    if not url or len(url) > MAX_URL_LENGTH:
        return None
    if _PATH.fullmatch(url):
        return url
    found = _URL.fullmatch(url)
    if found is None or (by_tls and found["scheme"] == "http"):
        return None
    port = _DEFAULT_PORTS[found["scheme"]]
    host = found["host"].removesuffix(port)
    return url if host in hosts or host + port in hosts else None


def is_own_page(login_url: str | None) -> bool:
    """Return True if the URL is that of the service's own sign-in page."""
    return login_url is not None and login_url.endswith(SIGN_IN_PATH)


def beside_sign_in(login_url: str, path: str, query: dict[str, str]) -> str:
    """Return the URL of the service's page at `path`, with a query.

    `login_url` is that of the service's own sign-in page.
    """
    return f"{login_url.removesuffix(SIGN_IN_PATH)}{path}?{urlencode(query)}"


def sign_in_url(
    login_url: str,
    forwarded: tuple[str | None, str | None, str | None],
    hosts: Collection[str],
) -> str:
    """Return the URL of the sign-in page, with the URL to return to.

    `forwarded` is the scheme, host and path of the request to a trusted
    proxy. Without them, or if they are no safe redirect, the sign-in page
    gets no URL to return to.
    """
    scheme, host, path = forwarded
    back = safe_redirect(path) if path and path.startswith("/") else None
    if back is not None and not _is_on(host, login_url):
        by_tls = login_url.startswith("https://")
        back = safe_redirect(f"{scheme}://{host}{back}", hosts, by_tls)
    if back is None:
        return login_url
    joined = "&" if "?" in login_url else "?"
    return f"{login_url}{joined}{RETURN_PARAMETER}={quote(back, safe='/')}"


def _is_on(host: str | None, login_url: str) -> bool:
    """Return True if the sign-in page is on `host`."""
    found = _URL.fullmatch(login_url)
    return found is None or found["host"] == host
