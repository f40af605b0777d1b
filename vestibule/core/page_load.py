#!/usr/bin/env python3
"""The rule by which a request counts as a page load of a browser.

Forward authentication redirects page loads to the sign-in page, and so
does `vestibule.protect` in other applications: they share this rule. It
needs the standard library only.
"""

import re
from collections.abc import Mapping
from typing import Any

#: Characters of an `Accept` or `Accept-Language` header that are parsed;
#: browsers send about a hundred. Parsing 200 kB takes a third of a second.
MAX_ACCEPT_LENGTH = 1000
#: A weight (RFC 9110, section 12.4.2), from 0 to 1.
_WEIGHT = re.compile(r"0(\.[0-9]*)?|1(\.0*)?")
#: The quality of a media type for a client, and how exactly it names it.
_Match = tuple[float, int]


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
