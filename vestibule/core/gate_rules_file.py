#!/usr/bin/env python3
"""The file of rules for the gate, `GATE_RULES`: read and checked.

It is TOML, with a table `[[rule]]` for each rule. A file that may not mean
what its author thinks is refused, with the line: an unknown key, a pattern
that matches nothing, a rule that an earlier one covers.
"""

import re
import tomllib
from collections.abc import Sequence
from typing import Any, NoReturn

from vestibule.core.access_settings import GATE_RULES
from vestibule.core.assurance import MAX_FRESH_SECONDS, MAX_LEVEL, Role
from vestibule.core.errors import ConfigurationError
from vestibule.core.gate_rules import (
    Access,
    GateRules,
    HostPattern,
    Network,
    PathPattern,
    Rule,
    decoded_path,
)
from vestibule.core.host_types import application_hosts
from vestibule.core.setting_types import networks_or_any

#: Bytes of a file of rules.
MAX_FILE_BYTES = 262_144
_HEADER = re.compile(r"[ \t]*\[\[[ \t]*rule[ \t]*\]\][ \t]*(#.*)?")
_METHOD = re.compile(r"[A-Z]{1,20}")
_CONDITIONS = ("host", "path", "method", "network", "role")
_ASKED = ("access", "level", "phishing-resistant", "fresh")


def configured_rules() -> GateRules | None:
    """Return the rules of the file that `GATE_RULES` names, if it is set.

    Raise `ConfigurationError`, with the line, if it cannot be used.
    """
    path = GATE_RULES.read()
    if path is None:
        return None
    try:
        with open(path, "rb") as file:
            content = file.read(MAX_FILE_BYTES + 1)
    except OSError as error:
        raise ConfigurationError(
            "GATE_RULES", f"cannot be read: {error.strerror}"
        ) from None
    if len(content) > MAX_FILE_BYTES:
        raise ConfigurationError(
            "GATE_RULES", f"must have at most {MAX_FILE_BYTES} bytes"
        )
    return parse_rules(content)


def parse_rules(content: bytes) -> GateRules:
    """Return the rules of a file; raise `ConfigurationError`."""
    try:
        text = content.decode()
        tables = tomllib.loads(text)
    except (ValueError, RecursionError) as error:
        raise ConfigurationError(
            "GATE_RULES", f"must be TOML in UTF-8: {error}"
        ) from None
    if '"""' in text or "'''" in text:
        # The line of a rule could not be told from a line of a text.
        raise ConfigurationError(
            "GATE_RULES", "must not have texts of several lines"
        )
    lines = text.splitlines()
    starts = [n for n, one in enumerate(lines, 1) if _HEADER.fullmatch(one)]
    for key in tables:
        if key != "rule":
            _refuse(_line_of(key, lines, 1), f"unknown key {key}")
    given = tables.get("rule", [])
    if not isinstance(given, list) or len(given) != len(starts) or not given:
        raise ConfigurationError(
            "GATE_RULES", "must have rules that begin with [[rule]]"
        )
    rules: list[Rule] = []
    for number, (table, start) in enumerate(
        zip(given, starts, strict=True), 1
    ):
        rule = _Reader(table, lines, start).rule(number)
        for earlier in rules:
            if earlier.covers(rule):
                _refuse(
                    start,
                    "no request reaches this rule, because the rule of line"
                    f" {earlier.line} matches all of them",
                )
        rules.append(rule)
    return GateRules(rules)


class _Reader:
    """Reads one rule."""

    def __init__(
        self, table: dict[str, Any], lines: Sequence[str], start: int
    ) -> None:
        """Keep the table, and the line of its header."""
        self._table = table
        self._lines = lines
        self._start = start

    def rule(self, number: int) -> Rule:
        """Return the rule; raise `ConfigurationError`."""
        table = self._table
        for key in table:
            if key not in _CONDITIONS and key not in _ASKED:
                self._wrong(key, f"unknown key {key}")
        asked = [key for key in _ASKED if key in table]
        if not asked:
            _refuse(
                self._start,
                "the rule needs access, level, phishing-resistant or fresh",
            )
        access = self._access()
        if access is not Access.SIGNED_IN and len(asked) > 1:
            self._wrong(
                asked[1], f"{asked[1]} has no effect with access = {access}"
            )
        return Rule(
            number,
            self._start,
            tuple(self._host(one) for one in self._texts("host")),
            tuple(self._path(one) for one in self._texts("path")),
            frozenset(self._method(one) for one in self._texts("method")),
            tuple(
                network
                for one in self._texts("network")
                for network in self._network(one)
            ),
            frozenset(self._role(one) for one in self._texts("role")),
            access,
            self._number("level", 1, MAX_LEVEL) or 1,
            self._resistant(),
            self._number("fresh", 1, MAX_FRESH_SECONDS),
        )

    def _texts(self, key: str) -> list[str]:
        """Return the texts of a condition: one, or a list of them."""
        if key not in self._table:
            return []
        value = self._table[key]
        listed = value if isinstance(value, list) else [value]
        if not listed or not all(isinstance(one, str) for one in listed):
            self._wrong(key, f"{key} must be a text, or a list of texts")
        return listed

    def _access(self) -> Access:
        """Return who may pass at all."""
        value = self._table.get("access", Access.SIGNED_IN.value)
        if value not in list(Access):
            self._wrong("access", f"access must be one of {', '.join(Access)}")
        return Access(value)

    def _host(self, text: str) -> HostPattern:
        """Return the pattern of a host or of all hosts below a domain."""
        lower = text.lower()
        name = lower.removeprefix("*.")
        try:
            (listed,) = application_hosts(name)
        except ValueError:
            self._wrong(
                "host",
                f"no request has the host {text}: a host is app.example,"
                " app.example:8443 or *.example",
            )
        host, colon, port = listed.rpartition(":")
        if not colon or not port.isdigit():
            host, port = listed, ""
        return HostPattern(f".{host}" if name != lower else host, port)

    def _path(self, text: str) -> PathPattern:
        """Return the pattern of a path; `*` is like a letter to the check."""
        if decoded_path(text.replace("*", "x")) != text.replace("*", "x"):
            self._wrong(
                "path",
                f"no request has the path {text}: paths begin with a slash,"
                " and are compared decoded, without query, parameters and"
                " empty or dot segments",
            )
        return PathPattern(text)

    def _method(self, text: str) -> str:
        """Return a method, which is written in capitals."""
        if not _METHOD.fullmatch(text):
            self._wrong("method", f"no request has the method {text}")
        return text

    def _network(self, text: str) -> tuple[Network, ...]:
        """Return the network of a text."""
        try:
            found = networks_or_any(text)
        except ValueError:
            found = None
        if not found or len(found) > 1:
            self._wrong("network", f"{text} is no address and no network")
        return found

    def _role(self, text: str) -> str:
        """Return the name of a role."""
        if text not in list(Role):
            self._wrong("role", f"role must be one of {', '.join(Role)}")
        return text

    def _number(self, key: str, minimum: int, maximum: int) -> int | None:
        """Return a whole number, or `None` if it is not given."""
        value = self._table.get(key)
        if value is None:
            return None
        if type(value) is not int or not minimum <= value <= maximum:
            self._wrong(
                key,
                f"{key} must be a whole number from {minimum} to {maximum}",
            )
        return int(value)

    def _resistant(self) -> bool:
        """Return True if the rule asks for a phishing-resistant factor."""
        value = self._table.get("phishing-resistant", False)
        if "phishing-resistant" in self._table and value is not True:
            self._wrong(
                "phishing-resistant", "phishing-resistant can only be true"
            )
        return bool(value)

    def _wrong(self, key: str, why: str) -> NoReturn:
        """Refuse the rule, with the line of `key`."""
        _refuse(_line_of(key, self._lines, self._start), why)


def _line_of(key: str, lines: Sequence[str], start: int) -> int:
    """Return the number of the line from `start` that sets `key`."""
    wanted = re.compile(rf"[ \t]*[\[\"']*{re.escape(key)}[\"'\] \t.=]")
    first = start - 1
    for number, line in enumerate(lines[first:], start):
        if wanted.match(line):
            return number
    return start


def _refuse(line: int, why: str) -> NoReturn:
    """Raise the error of a line."""
    raise ConfigurationError("GATE_RULES", f"line {line}: {why}")
