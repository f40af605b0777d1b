#!/usr/bin/env python3
"""Where a Vestibule is asked, and how long an answer is waited for."""

import math
from typing import NamedTuple
from urllib.parse import urlsplit

from vestibule.errors import InvalidValue

#: Seconds.
TIMEOUT = 3.0
#: Connections to it that are kept open.
KEPT_CONNECTIONS = 64
#: What is said with each question. What is packed would have to be
#: unpacked before anybody knows how much it is.
ALWAYS = {"Accept": "application/json", "Accept-Encoding": "identity"}


class Address(NamedTuple):
    """The origin of a Vestibule, the path before its own, and patience."""

    origin: str
    prefix: str
    #: Seconds.
    timeout: float


def address_of(url: str, timeout: float) -> Address:
    """Return where to ask; raise `InvalidValue` if that is nowhere.

    What is said then does not repeat the address: it may hold a password.
    """
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname, parts.port
    except (ValueError, AttributeError):
        host = None
    if (
        not host
        or parts.scheme not in ("http", "https")
        or "@" in parts.netloc
        or parts.query
        or parts.fragment
        or not url.isascii()
        or not url.isprintable()
        or " " in url
    ):
        raise InvalidValue("url", "must be as http://127.0.0.1:5000")
    if not 0 < timeout < math.inf:
        raise InvalidValue("timeout", "must be a number of seconds above 0")
    return Address(
        f"{parts.scheme}://{parts.netloc}", parts.path.rstrip("/"), timeout
    )


def no_audience_here(audience: str | None) -> None:
    """Raise `InvalidValue` for an `audience` without anybody's keys."""
    if audience is not None:
        raise InvalidValue("audience", "needs the url of a Vestibule")
