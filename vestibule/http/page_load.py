#!/usr/bin/env python3
"""The rule by which a request counts as a page load of a browser.

Forward authentication redirects page loads to the sign-in page, and so
does `vestibule.protect` in other applications: they share this rule.
"""

from collections.abc import Mapping
from typing import Any

from werkzeug.datastructures import MIMEAccept
from werkzeug.http import parse_accept_header

#: Characters of an `Accept` or `Accept-Language` header that are parsed;
#: browsers send about a hundred. Parsing 200 kB takes a third of a second.
MAX_ACCEPT_LENGTH = 1000


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
    header = accept_header(environ, "HTTP_ACCEPT")
    return prefers_page(parse_accept_header(header, MIMEAccept))


def prefers_page(accepted: MIMEAccept) -> bool:
    """Return True if the client prefers HTML to JSON.

    Browsers name `text/html`; programs that accept anything get JSON.
    """
    best = accepted.best_match(["application/json", "text/html"])
    return best == "text/html"


def accept_header(environ: Mapping[str, Any], name: str) -> str | None:
    """Return an `Accept` header; `None` if it is absent or too long."""
    header: str | None = environ.get(name)
    return header if header and len(header) <= MAX_ACCEPT_LENGTH else None
