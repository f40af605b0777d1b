#!/usr/bin/env python3
"""The rules of forward authentication: which request needs which proof.

A rule has conditions, on host, path, method, network and role, and says what
a request needs that meets them all. The first such rule counts; a request
that none matches needs a signed-in user. No condition is a regular
expression, and matching takes linear time. `gate_rules_file` reads a file.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import cached_property, lru_cache
from ipaddress import IPv4Network, IPv6Network, ip_address
from typing import Any, NamedTuple
from urllib.parse import unquote

Network = IPv4Network | IPv6Network
#: Characters of a path that rules are applied to; longer ones are refused.
MAX_PATH_LENGTH = 8_192
#: Requests of which each worker remembers the rules that may count.
MAX_CACHED_TARGETS = 4_096


class Access(StrEnum):
    """Who may pass, at all."""

    OPEN = "open"
    DENY = "deny"
    SIGNED_IN = "signed-in"


class Target(NamedTuple):
    """What a client asks a proxy for, in the form that rules compare."""

    #: The name in lower case, and the port if it is not the default one.
    host: str
    port: str
    #: The decoded path without its query.
    path: str
    method: str


class HostPattern(NamedTuple):
    """The hosts of a rule: a name, or all names below a domain."""

    #: A name, or a suffix that begins with a dot.
    name: str
    #: Empty for any port.
    port: str = ""

    def matches(self, host: str, port: str) -> bool:
        """Return True if the host is one of these."""
        if self.port and self.port != port:
            return False
        if self.name.startswith("."):
            return host.endswith(self.name)
        return host == self.name

    def covers(self, other: "HostPattern") -> bool:
        """Return True if this matches all that `other` matches."""
        if self.port and self.port != other.port:
            return False
        if self.name.startswith("."):
            return other.name.endswith(self.name)
        return other.name == self.name


class PathPattern(NamedTuple):
    """The paths of a rule.

    Without `*` these are the path and all below it; in a glob, `*` stands
    for any characters, also none and slashes.
    """

    text: str

    @property
    def is_glob(self) -> bool:
        """Return True if the pattern has a `*`."""
        return "*" in self.text

    def matches(self, path: str) -> bool:
        """Return True if `path` is one of these, in linear time."""
        if not self.is_glob:
            base = self.text.rstrip("/")
            return path == self.text or path.startswith(f"{base}/")
        first, *middle, last = self.text.split("*")
        end = len(path) - len(last)
        if len(first) > end or not path.startswith(first):
            return False
        if not path.endswith(last):
            return False
        at = len(first)
        for part in middle:
            at = path.find(part, at, end)
            if at < 0:
                return False
            at += len(part)
        return True

    def covers(self, other: "PathPattern") -> bool:
        """Return True if this certainly matches all that `other` matches."""
        if self.text == other.text:
            return True
        head = other.text.partition("*")[0]
        if not self.is_glob:
            return head.startswith(f"{self.text.rstrip('/')}/")
        return self.text.find("*") == len(self.text) - 1 and (
            head.startswith(self.text[:-1])
        )


@dataclass(frozen=True)
class Rule:
    """Conditions, of which an empty one is always met, and what is asked."""

    #: The position in the file from 1, and the line of its header. Both are
    #: 0 for the rule after the last one.
    number: int = 0
    line: int = 0
    hosts: tuple[HostPattern, ...] = ()
    paths: tuple[PathPattern, ...] = ()
    methods: frozenset[str] = frozenset()
    networks: tuple[Network, ...] = ()
    roles: frozenset[str] = frozenset()
    access: Access = Access.SIGNED_IN
    #: What a signed-in user needs: a level, a factor that cannot be phished,
    #: at most so many seconds since authentication.
    level: int = 1
    phishing_resistant: bool = False
    fresh: int | None = None

    @cached_property
    def asks_for_more(self) -> bool:
        """Return True if a signed-in user may need another proof."""
        return (
            self.level > 1 or self.phishing_resistant or self.fresh is not None
        )

    @cached_property
    def asks_only_for_user(self) -> bool:
        """Return True if each signed-in user may pass."""
        return self.access is not Access.DENY and not self.asks_for_more

    @cached_property
    def needs_client(self) -> bool:
        """Return True if the client's address or role decides."""
        return bool(self.networks or self.roles)

    def matches_target(self, target: Target) -> bool:
        """Return True if host, path and method meet the conditions."""
        return (
            (not self.methods or target.method in self.methods)
            and (
                not self.hosts
                or any(
                    one.matches(target.host, target.port) for one in self.hosts
                )
            )
            and (
                not self.paths
                or any(one.matches(target.path) for one in self.paths)
            )
        )

    def matches_client(self, address: str, role: str | None) -> bool:
        """Return True if the client's address and role meet the rest."""
        if self.roles and role not in self.roles:
            return False
        return not self.networks or _is_in(address, self.networks)

    def covers(self, other: "Rule") -> bool:
        """Return True if this certainly matches all that `other` matches."""
        return (
            _all_covered(self.hosts, other.hosts)
            and _all_covered(self.paths, other.paths)
            and _contains(self.methods, other.methods)
            and _contains(self.roles, other.roles)
            and (
                not self.networks
                or (
                    bool(other.networks)
                    and all(
                        any(_is_subnet(one, mine) for mine in self.networks)
                        for one in other.networks
                    )
                )
            )
        )


#: What a request needs that no rule matches.
DEFAULT_RULE = Rule()


class GateRules:
    """The rules of a file, in their order."""

    def __init__(self, rules: Sequence[Rule]) -> None:
        """Keep the rules; the default comes after the last one."""
        self.rules = (*rules, DEFAULT_RULE)
        self.candidates = lru_cache(MAX_CACHED_TARGETS)(self._candidates)

    def _candidates(self, target: Target) -> tuple[Rule, ...]:
        """Return the rules for a target that a client may meet, in order.

        The last one is met by each client.
        """
        found = []
        for rule in self.rules:
            if rule.matches_target(target):
                found.append(rule)
                if not rule.needs_client:
                    break
        return tuple(found)

    def rule_for(self, target: Target, address: str, role: str | None) -> Rule:
        """Return the rule that counts for a client and its user's role."""
        return first_met(self.candidates(target), address, role)


def first_met(
    candidates: Sequence[Rule], address: str, role: str | None
) -> Rule:
    """Return the first of the `candidates` that the client meets."""
    for rule in candidates:
        if rule.matches_client(address, role):
            return rule
    return candidates[-1]


def target_of(host: str, uri: str, method: str) -> Target | None:
    """Return the target of a request, or `None` if it is ambiguous.

    A proxy and an application may read an ambiguous path in two ways, so
    that a rule for the one would not count for the other.
    """
    name, port = split_host(host)
    path = decoded_path(uri)
    if not name or path is None or not method:
        return None
    return Target(name, port, path, method)


def split_host(host: str) -> tuple[str, str]:
    """Return a host's name in lower case, and its port.

    The default ports are left out, and so is the dot of a full name, which
    servers ignore.
    """
    name, colon, port = host.lower().rpartition(":")
    if not colon or not port.isdigit():
        name, port = host.lower(), ""
    if port in ("80", "443"):
        port = ""
    return name.removesuffix("."), port.lstrip("0")


def decoded_path(uri: str) -> str | None:
    """Return the path of a URI in the form that rules compare.

    It is percent-decoded once, has no parameters after a semicolon, and one
    slash where several follow each other. `None` if it is no absolute path,
    or has dot segments, a backslash, a control character or a fragment.
    """
    path = uri.partition("?")[0]
    if not path.startswith("/") or len(path) > MAX_PATH_LENGTH:
        return None
    if "#" in path or not path.isascii():
        return None
    if "%" in path:
        try:
            path = unquote(path, errors="strict")
        except UnicodeDecodeError:
            return None
    if "\\" in path or any(ord(one) < 32 or ord(one) == 127 for one in path):
        return None
    segments = [one.partition(";")[0] for one in path.split("/")]
    if "." in segments or ".." in segments:
        return None
    inner = [one for one in segments[1:-1] if one]
    return "/" + "/".join([*inner, segments[-1]])


def _is_in(address: str, networks: Sequence[Network]) -> bool:
    """Return True if an address is in one of the networks.

    The unknown address of a client is in none.
    """
    try:
        found = ip_address(address)
    except ValueError:
        return False
    return any(found in network for network in networks)


def _all_covered(mine: Sequence[Any], other: Sequence[Any]) -> bool:
    """Return True if each of the `other` patterns is covered by one."""
    if not mine or not other:
        return not mine
    return all(any(pattern.covers(one) for pattern in mine) for one in other)


def _contains(mine: frozenset[str], other: frozenset[str]) -> bool:
    """Return True if the condition `mine` is met where `other` is."""
    return not mine or (bool(other) and other <= mine)


def _is_subnet(one: Network, whole: Network) -> bool:
    """Return True if `one` lies in `whole`."""
    if isinstance(one, IPv4Network) and isinstance(whole, IPv4Network):
        return one.subnet_of(whole)
    if isinstance(one, IPv6Network) and isinstance(whole, IPv6Network):
        return one.subnet_of(whole)
    return False
