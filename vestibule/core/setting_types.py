#!/usr/bin/env python3
"""How the texts of the environment become typed values.

Its law: a text that cannot be meant raises `ValueError`, which says what
it must be; none is guessed or repaired.
"""

import re
from collections.abc import Callable
from functools import lru_cache
from ipaddress import IPv4Network, IPv6Network, ip_network

_ORIGIN = re.compile(r"https?://[A-Za-z0-9.-]+(:[0-9]{1,5})?")
_COLOR = re.compile(r"#[0-9A-Fa-f]{6}")
_HOST = r"(?:[a-z0-9.-]+|\[[0-9a-f:.]+\])(?::[0-9]{1,5})?"
_PAGE = re.compile(rf"(?:https?://{_HOST})?/(?![/\\])[!#-;=?-\[\]-~]*")
_TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")


def non_empty(text: str | None) -> str:
    """Return the text itself; setting it to nothing is a mistake."""
    if not text:
        raise ValueError("must not be empty")
    return text


def optional_text(text: str | None) -> str | None:
    """Return the text, also an empty one, or `None` if it is unset."""
    return text


@lru_cache(maxsize=8)
def cookie_name(text: str | None) -> str | None:
    """Return the name if it is one (RFC 6265, 4.1.1); empty means unset."""
    if text and not _TOKEN.fullmatch(text):
        raise ValueError(f"must be the name of a cookie, not {text!r}")
    return text or None


def integer_between(least: int, most: int) -> Callable[[str | None], int]:
    """Return a parser of whole numbers from `least` to `most`."""

    def parse(text: str | None) -> int:
        """Return the number that `text` spells in decimal digits."""
        digits = text if text and text.isascii() and text.isdigit() else ""
        if 0 < len(digits) <= 12 and least <= int(digits) <= most:
            return int(digits)
        raise ValueError(
            f"must be a whole number from {least} to {most}, not {text!r}"
        )

    return parse


def lenient_seconds(text: str | None) -> int | None:
    """Return whole seconds, 0 if unset, `None` for no integer at all."""
    if text is None:
        return 0
    try:
        return int(text)
    except ValueError:
        return None


def origins(text: str | None) -> tuple[str, ...]:
    """Return the origins of a list with commas; `*` stands alone."""
    listed = tuple(one.strip() for one in (text or "").split(",") if one)
    for origin in listed:
        if not (_ORIGIN.fullmatch(origin) or listed == ("*",)):
            raise ValueError(
                f"must be *, or origins as https://a.example, not {origin!r}"
            )
    return listed


def words(text: str | None) -> tuple[str, ...]:
    """Return the words between the commas."""
    words = (word.strip() for word in (text or "").split(","))
    return tuple(word for word in words if word)


@lru_cache(maxsize=8)
def networks(text: str | None) -> tuple[IPv4Network | IPv6Network, ...]:
    """Return the networks of a list with commas; an address is one too.

    Kept for each text, because requests ask for it.
    """
    return tuple(ip_network(word) for word in words(text))


def http_url(text: str | None) -> str | None:
    """Return the address if it is one of the web; empty means unset."""
    if text and not text.startswith(("https://", "http://")):
        raise ValueError(f"must begin with https:// or http://, not {text!r}")
    return text or None


def color(text: str | None) -> str:
    """Return a colour of the web in six hex digits, in lower case."""
    if not _COLOR.fullmatch(text or ""):
        raise ValueError(f"must be a colour as #1f5fae, not {text!r}")
    return (text or "").lower()


def page_url(text: str | None) -> str | None:
    """Return the path or whole address of a page; empty means unset."""
    if text and not _PAGE.fullmatch(text):
        raise ValueError(
            "must be a path as /sign-in, or an address as"
            f" https://sign-in.example/, not {text!r}"
        )
    return text or None


def hosts(text: str | None) -> tuple[str, ...]:
    """Return the hosts, with ports where given, of a list with commas."""
    listed = tuple(word.lower() for word in words(text))
    for host in listed:
        if not re.fullmatch(_HOST, host):
            raise ValueError(
                f"must be hosts as app.example or app.example:8443, not"
                f" {host!r}"
            )
    return listed


def pem(text: str | None) -> str | None:
    """Return a text in PEM form with real line breaks; empty means unset.

    It is a secret: what is said of a wrong one does not show it.
    """
    if text and not text.startswith("-----BEGIN "):
        raise ValueError("must be a private key in PEM form")
    return text.replace("\\n", "\n") if text else None


def on_or_off(text: str | None) -> bool:
    """Return whether the text is `on`; it may also be `off`."""
    if text not in ("on", "off"):
        raise ValueError(f"must be on or off, not {text!r}")
    return text == "on"


def one_of(*known: str) -> Callable[[str | None], str]:
    """Return a parser that takes the `known` words only."""

    def parse(text: str | None) -> str:
        """Return `text` if it is one of the known words."""
        if text not in known:
            raise ValueError(
                f"must be one of {', '.join(known)}, not {text!r}"
            )
        return text

    return parse
