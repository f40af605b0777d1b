#!/usr/bin/env python3
"""Parsers of settings that name hosts: domains, origins, pages, audiences.

They raise `ValueError` as those of `vestibule.core.setting_types` do.
"""

import re
from functools import lru_cache

from vestibule.core.setting_types import words

_ORIGIN = re.compile(r"https?://[A-Za-z0-9.-]+(:[0-9]{1,5})?")
_HOST = r"(?:[a-z0-9.-]+|\[[0-9a-f:.]+\])(?::[0-9]{1,5})?"
_PAGE = re.compile(rf"(?:https?://{_HOST})?/(?![/\\])[!#-;=?-\[\]-~]*")
_LABEL = r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?"
_HOST_NAME = re.compile(rf"(?:{_LABEL}\.)*{_LABEL}")
# The last label has a letter, so an IP address is no domain.
_DOMAIN = re.compile(rf"(?:{_LABEL}\.)+(?=[0-9-]*[a-z]){_LABEL}")


@lru_cache(maxsize=8)
def cookie_domain(text: str | None) -> str | None:
    """Return a domain of at least two labels, or `None` if it is empty.

    A leading dot is dropped, as browsers do (RFC 6265, 5.2.3).
    """
    domain = (text or "").lower().removeprefix(".")
    if text and (len(domain) > 253 or not _DOMAIN.fullmatch(domain)):
        raise ValueError(f"must be a domain such as example.com, not {text!r}")
    return domain or None


def origins(text: str | None) -> tuple[str, ...]:
    """Return the origins of a list with commas; `*` must be alone.

    They are written as browsers send them: in lower case, and without the
    default port of their scheme (RFC 6454, 6.2). `none` is the empty list.
    """
    if text == "none":
        return ()
    listed = tuple(one.lower() for one in words(text))
    for origin in listed:
        if not (_ORIGIN.fullmatch(origin) or listed == ("*",)):
            raise ValueError(
                "must be *, or origins such as https://a.example,"
                f" not {origin!r}"
            )
    return tuple(
        origin.removesuffix(":443" if origin.startswith("https:") else ":80")
        for origin in listed
    )


def page_url(text: str | None) -> str | None:
    """Return a path or the URL of a page, or `None` for `none`."""
    if text == "none":
        return None
    if text and not _PAGE.fullmatch(text):
        raise ValueError(
            "must be a path such as /sign-in, or a URL such as"
            f" https://sign-in.example/, not {text!r}"
        )
    return text or None


@lru_cache(maxsize=8)
def hosts(text: str | None) -> tuple[str, ...]:
    """Return the hosts, with their ports if any, of a list with commas.

    The result is cached by the text, because requests need it.
    """
    listed = tuple(word.lower() for word in words(text))
    for host in listed:
        if not re.fullmatch(_HOST, host):
            raise ValueError(
                f"must be hosts such as app.example or app.example:8443, not"
                f" {host!r}"
            )
    return listed


@lru_cache(maxsize=8)
def audiences(text: str | None) -> tuple[str, ...]:
    """Return the hosts of a list with commas; the port may be `*`.

    The result is cached by the text, because requests need it.
    """
    listed = words(text)
    hosts(",".join(word.removesuffix(":*") for word in listed))
    return tuple(word.lower() for word in listed)
