#!/usr/bin/env python3
"""Parsers of settings that name hosts: domains, origins, pages, audiences.

They raise `ValueError` as those of `vestibule.core.setting_types` do.
"""

import re
from functools import lru_cache
from urllib.parse import urlsplit

from vestibule.core.setting_types import words

#: Names of domains in `PASSKEY_ORIGINS`.
MAX_PASSKEY_LABELS = 5
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
def rp_id(text: str | None) -> str | None:
    """Return the domain of passkeys, or `None` if it is unset."""
    domain = (text or "").lower()
    if text and domain != "localhost" and not _DOMAIN.fullmatch(domain):
        raise ValueError(f"must be a domain such as example.com, not {text!r}")
    return domain or None


@lru_cache(maxsize=8)
def passkey_origins(text: str | None) -> tuple[str, ...]:
    """Return the origins of a list with commas, as browsers name them.

    Browsers take at most `MAX_PASSKEY_LABELS` names of domains from
    `/.well-known/webauthn` (WebAuthn 3, 5.11).
    """
    listed = origins(text)
    for origin in listed:
        if not is_passkey_origin(origin):
            raise ValueError(
                "must be origins with https and a domain, such as"
                f" https://auth.example.com, not {origin!r}"
            )
    if len(set(listed)) < len(listed):
        raise ValueError("must name each origin once")
    labels = {tuple(urlsplit(one).netloc.split("."))[-2:][0] for one in listed}
    if len(labels) > MAX_PASSKEY_LABELS:
        raise ValueError(
            f"must have at most {MAX_PASSKEY_LABELS} domains: browsers ignore"
            " the rest"
        )
    return listed


def is_passkey_origin(origin: str) -> bool:
    """Return True if browsers have passkeys at pages of this origin.

    That is https with a domain, and http with localhost or a name below it.
    """
    parts = urlsplit(origin)
    name = parts.hostname or ""
    if f".{name}".endswith(".localhost"):
        return parts.scheme in ("http", "https")
    return parts.scheme == "https" and bool(_DOMAIN.fullmatch(name))


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
def application_hosts(text: str | None) -> tuple[str, ...]:
    """Return the hosts of applications as browsers name them in `Host`.

    Each is a domain name or an address, without the default ports. The
    result is cached by the text, because requests need it.
    """
    listed = hosts(text)
    for host in listed:
        name, _, number = host.partition(":")
        if host.startswith("["):
            name, _, number = host.rpartition("]")[2].partition(":")
            name = "v6"
        if not _HOST_NAME.fullmatch(name) or int(number or "1") > 65_535:
            raise ValueError(
                f"must be hosts such as app.example, not {host!r}"
            )
        if number in ("80", "443"):
            raise ValueError(
                f"must name no default port, as browsers do not, not {host!r}"
            )
    if len(set(listed)) < len(listed):
        raise ValueError("must name each host once")
    return listed


@lru_cache(maxsize=8)
def audiences(text: str | None) -> tuple[str, ...]:
    """Return the hosts of a list with commas; the port may be `*`.

    The result is cached by the text, because requests need it.
    """
    listed = words(text)
    hosts(",".join(word.removesuffix(":*") for word in listed))
    return tuple(word.lower() for word in listed)
