#!/usr/bin/env python3
"""Typed settings: the only module that reads the environment.

Nothing is read at import, and nothing is cached here. Each call of `read`
reads the environment, so a change takes effect at once. The parsers turn
the text of a variable into a value. An invalid text raises `ValueError`
with a message that says what it must be; no text is guessed or repaired.
"""

import os
import re
import sys
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property, lru_cache
from ipaddress import IPv4Network, IPv6Network, ip_network
from typing import Generic, TypeVar
from urllib.parse import urlsplit

from vestibule.core.errors import ConfigurationError

T_co = TypeVar("T_co", covariant=True)

_ENCODING = sys.getfilesystemencoding()


class UnixSocket:
    """A Unix socket, listed among networks: it contains no address."""

    def __contains__(self, address: object) -> bool:
        """Return False: a Unix socket has no addresses."""
        return False

    def __str__(self) -> str:
        """Return the word that stands for it in a setting."""
        return "unix"


UNIX_SOCKET = UnixSocket()
#: The unique local addresses of IPv6 (RFC 4193).
_PRIVATE_IPV6 = IPv6Network("fc00::/7")
#: IPv4 addresses as a socket of both families shows them (RFC 4291, 2.5.5.2).
_MAPPED_IPV4 = IPv6Network("::ffff:0:0/96")
#: A network of proxies, or the Unix socket that a proxy connects to.
TrustedPeer = IPv4Network | IPv6Network | UnixSocket

_COLOR = re.compile(r"#[0-9A-Fa-f]{6}")
# Segments that begin with a dot would let `..` lead out of the prefix.
_BASE_PATH = re.compile(r"(?:/[A-Za-z0-9_~-][A-Za-z0-9._~-]*)+")
#: Characters of a path below which the service is reached.
MAX_BASE_PATH_LENGTH = 200
_TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")


#: Begins a variable that is of this program for certain.
PREFIX = "VESTIBULE_"
_given: dict[str, str] = {}


@dataclass(frozen=True)
class Setting(Generic[T_co]):
    """An environment variable: its name, default, parser and meaning."""

    name: str
    default: str | None
    parse: Callable[[str | None], T_co]
    meaning: str
    #: The defaults under these profiles, if they are different ones.
    standard: str | None = None
    hardened: str | None = None

    def default_under_profile(self) -> str | None:
        """Return the default under the current profile."""
        if self.standard is None and self.hardened is None:
            return self.default
        own = {"standard": self.standard, "hardened": self.hardened}
        chosen = own.get(SECURITY_PROFILE.read())
        return self.default if chosen is None else chosen

    def read(self) -> T_co:
        """Return the current value; raise `ConfigurationError` if invalid.

        An empty variable counts as unset: docker compose passes variables
        on that way.
        """
        text = self.text()
        try:
            return self.parse(text)
        except ValueError as error:
            raise ConfigurationError(self.name, str(error)) from None

    def text(self) -> str | None:
        """Return the text that is parsed.

        What this process was given counts before the environment, and a
        variable with `PREFIX` before the one without: that one may be
        another program's, as `DATABASE_URL` often is.
        """
        given = _given.get(self.name)
        if given:
            return given
        # The dictionary in `os.environ`: each look-up in `os.environ` itself
        # encodes the name and decodes the value in a chain of calls, which
        # takes five times as long and is on the path of a verify. A program
        # may have put another mapping in its place.
        variables = getattr(os.environ, "_data", None)
        if variables is None:
            text = os.environ.get(self.prefixed_name) or os.environ.get(
                self.name
            )
            return text or self.default_under_profile()
        own, bare = self._keys
        variable = variables.get(own) or variables.get(bare)
        if variable:
            decoded: str = variable.decode(_ENCODING, "surrogateescape")
            return decoded
        return self.default_under_profile()

    @cached_property
    def prefixed_name(self) -> str:
        """Return the name that no other program uses."""
        return PREFIX + self.name

    @cached_property
    def _keys(self) -> tuple[bytes, bytes]:
        """Return both names as the operating system has them."""
        return os.fsencode(self.prefixed_name), os.fsencode(self.name)


def give(values: Mapping[str, str]) -> None:
    """Give settings of this process values that no variable replaces."""
    _given.update(values)


def may_give(name: str, value: str) -> bool:
    """Return True if no other value was given for this setting."""
    return _given.get(name, value) == value


def is_given(setting: Setting[object]) -> bool:
    """Return True if `give` or the environment gives `setting` a value."""
    return bool(_given.get(setting.name)) or is_set(setting)


def child_environment(**variables: str) -> dict[str, str]:
    """Return the environment for a child process, with `variables` added."""
    return {**os.environ, **variables}


def set_missing(values: Mapping[str, str]) -> None:
    """Set `values` in this process, except for those that are set."""
    for name, text in values.items():
        if not os.environ.get(name):
            os.environ[name] = text


def replace_settings(names: Iterable[str], values: Mapping[str, str]) -> None:
    """Unset the settings `names` in this process, then set `values`.

    The variables with `PREFIX` are unset too: they count before the others.
    """
    for name in names:
        os.environ.pop(PREFIX + name, None)
        os.environ.pop(name, None)
    os.environ.update(values)


def is_set(setting: Setting[object]) -> bool:
    """Return True if the environment gives `setting` a value."""
    names = setting.prefixed_name, setting.name
    return any(os.environ.get(name) for name in names)


def environment_names() -> list[str]:
    """Return the names of all variables of this process."""
    return list(os.environ)


def is_hardened() -> bool:
    """Return True if the profile is the one for OWASP ASVS level 2."""
    return SECURITY_PROFILE.read() == "hardened"


def non_empty(text: str | None) -> str:
    """Return the text, which must not be empty."""
    if not text:
        raise ValueError("must not be empty")
    return text


def optional_text(text: str | None) -> str | None:
    """Return the text, or `None` if it is unset."""
    return text


def file_name(text: str | None) -> str | None:
    """Return the name of a file; `None` for `none`."""
    return None if text == "none" else text


@lru_cache(maxsize=8)
def cookie_name(text: str | None) -> str | None:
    """Return a valid name (RFC 6265, 4.1.1), or `None` if it is empty."""
    if text and not _TOKEN.fullmatch(text):
        raise ValueError(f"must be the name of a cookie, not {text!r}")
    return text or None


def has_cookie_prefix(name: str, *prefixes: str) -> bool:
    """Return True if the `name` of a cookie has one of the `prefixes`.

    They are in lower case; browsers compare them without regard to case.
    """
    return name.lower().startswith(prefixes)


@lru_cache(maxsize=8)
def base_path(text: str | None) -> str:
    """Return a path without a slash at its end; empty for the root."""
    path = (text or "").rstrip("/")
    if path and (
        len(path) > MAX_BASE_PATH_LENGTH or not _BASE_PATH.fullmatch(path)
    ):
        raise ValueError(f"must be a path such as /auth, not {text!r}")
    return path


def integer_between(minimum: int, maximum: int) -> Callable[[str | None], int]:
    """Return a parser of whole numbers from `minimum` to `maximum`."""

    def parse(text: str | None) -> int:
        """Return the number that `text` has in decimal digits."""
        digits = text if text and text.isascii() and text.isdigit() else ""
        if 0 < len(digits) <= 12 and minimum <= int(digits) <= maximum:
            return int(digits)
        raise ValueError(
            f"must be a whole number from {minimum} to {maximum}, not {text!r}"
        )

    return parse


def port(text: str | None) -> int:
    """Return a TCP port; explain a value that Kubernetes has set."""
    try:
        return integer_between(1, 65535)(text)
    except ValueError as error:
        if not (text or "").startswith(("tcp://", "udp://")):
            raise
        raise ValueError(
            f"{error}; Kubernetes sets this variable for a service named"
            " api: rename that service, or set enableServiceLinks: false"
        ) from None


def lenient_seconds(text: str | None) -> int | None:
    """Return whole seconds; 0 if unset, `None` if it is no integer."""
    if text is None:
        return 0
    try:
        return int(text)
    except ValueError:
        return None


def words(text: str | None) -> tuple[str, ...]:
    """Return the words of a list with commas."""
    stripped = (word.strip() for word in (text or "").split(","))
    return tuple(word for word in stripped if word)


@lru_cache(maxsize=8)
def trusted_peers(text: str | None) -> tuple[TrustedPeer, ...]:
    """Return the networks of a list with commas; an address is a network.

    `unix` stands for a Unix socket. The result is cached by the text,
    because every request needs it.
    """
    return tuple(
        UNIX_SOCKET if word == "unix" else _network(word)
        for word in words(text)
    )


def is_too_wide(network: TrustedPeer) -> bool:
    """Return True if `network` has addresses of arbitrary clients.

    No provider of proxies has an IPv4 /7 or an IPv6 /15; the private
    networks of IPv6 are a /7.
    """
    if isinstance(network, IPv4Network):
        return network.prefixlen < 8
    return (
        isinstance(network, IPv6Network)
        and network.prefixlen < 16
        and not network.subnet_of(_PRIVATE_IPV6)
    )


def networks_or_any(
    text: str | None,
) -> tuple[IPv4Network | IPv6Network, ...] | None:
    """Return the networks of a list with commas; `None` for `any`.

    `loopback` is the empty list, because this machine is always allowed.
    """
    if text == "any":
        return None
    listed = words("" if text == "loopback" else text)
    return tuple(_network(word) for word in listed)


def _network(text: str) -> IPv4Network | IPv6Network:
    """Return a network; one of IPv4-mapped addresses is one of IPv4.

    Addresses of clients are converted in the same way before they are
    compared.
    """
    network = ip_network(text)
    if isinstance(network, IPv6Network) and network.subnet_of(_MAPPED_IPV4):
        first = int(network.network_address) & 0xFFFF_FFFF
        return IPv4Network((first, network.prefixlen - 96))
    return network


def http_url(text: str | None) -> str | None:
    """Return an HTTP or HTTPS URL, or `None` if it is empty."""
    if text and not text.startswith(("https://", "http://")):
        raise ValueError(f"must begin with https:// or http://, not {text!r}")
    if text and not urlsplit(text).hostname:
        raise ValueError(f"must name a host, not {text!r}")
    return text or None


def color(text: str | None) -> str:
    """Return a CSS color in six hex digits, in lower case."""
    if not _COLOR.fullmatch(text or ""):
        raise ValueError(f"must be a color such as #1f5fae, not {text!r}")
    return (text or "").lower()


def pem(text: str | None) -> str | None:
    """Return a text in PEM format with line breaks; `None` if it is empty.

    It is a secret, so an error message does not repeat it.
    """
    if text and not text.startswith("-----BEGIN "):
        raise ValueError("must be a private key in PEM form")
    return text.replace("\\n", "\n") if text else None


def on_or_off(text: str | None) -> bool:
    """Return True for `on` and False for `off`."""
    if text not in ("on", "off"):
        raise ValueError(f"must be on or off, not {text!r}")
    return text == "on"


def some_of(*known: str) -> Callable[[str | None], tuple[str, ...]]:
    """Return a parser of a list with commas of `known` words, or `none`."""

    def parse(text: str | None) -> tuple[str, ...]:
        """Return the words of `text`, which must all be known."""
        listed = () if text == "none" else words(text)
        for word in listed:
            if word not in known:
                raise ValueError(
                    f"must be words of {', '.join(known)}, not {word!r}"
                )
        return listed

    return parse


def one_of(*known: str) -> Callable[[str | None], str]:
    """Return a parser that accepts only the `known` words."""

    def parse(text: str | None) -> str:
        """Return `text` if it is one of the known words."""
        if text not in known:
            raise ValueError(
                f"must be one of {', '.join(known)}, not {text!r}"
            )
        return text

    return parse


SECURITY_PROFILE: Setting[str] = Setting(
    "SECURITY_PROFILE",
    "contract",
    one_of("contract", "standard", "hardened"),
    "`contract` responds as existing clients of this API expect; `standard`"
    " sets defaults for a service of a team; `hardened` sets what OWASP ASVS"
    " 5.0 level 2 requires.",
)
