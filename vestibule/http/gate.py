#!/usr/bin/env python3
"""The rules of the gate, applied to requests for verify.

A proxy names what its client asked for in headers. They count only from a
trusted proxy, and headers that contradict each other are refused: a client
may have sent one that the proxy does not set.
"""

from collections.abc import Callable
from datetime import datetime
from functools import lru_cache
from typing import Any

from vestibule.accounts.gate import Answer, judge
from vestibule.core import settings
from vestibule.core.gate_rules import (
    DEFAULT_RULE,
    GateRules,
    Rule,
    Target,
    decoded_path,
    first_met,
    split_host,
    target_of,
)
from vestibule.core.gate_rules_file import configured_rules
from vestibule.core.request_headers import address_of_client, is_trusted_peer
from vestibule.core.setting_types import trusted_peers
from vestibule.http.user_response import UserResponse

#: Headers of which a proxy sends at least one.
_FORWARDING = frozenset(
    {
        "HTTP_X_FORWARDED_FOR",
        "HTTP_X_FORWARDED_HOST",
        "HTTP_X_FORWARDED_PROTO",
        "HTTP_FORWARDED",
        "HTTP_VIA",
    }
)
#: Requests of which each worker remembers the rules, and the characters of
#: their headers, so that clients cannot fill its memory.
MAX_CACHED_REQUESTS = 2_048
MAX_CACHED_LENGTH = 500
#: What an application needs that asks for itself, without a gate.
_DIRECT = (DEFAULT_RULE,)
#: The headers, without the query of the address.
Asked = tuple[str | None, ...]


class Gate:
    """The rules of `GATE_RULES`, by the requests of proxies."""

    def __init__(self, rules: GateRules) -> None:
        """Keep the rules."""
        self._rules = rules
        self._has_methods = any(rule.methods for rule in rules.rules)
        self._cached = lru_cache(MAX_CACHED_REQUESTS)(self._find)

    def candidates(self, environ: dict[str, Any]) -> tuple[Rule, ...] | None:
        """Return the rules that a client may meet; the last one is met.

        `None` refuses the request: a proxy sent it, and it is not known or
        ambiguous what that proxy's client asked for.
        """
        get = environ.get
        uri, original = get("HTTP_X_FORWARDED_URI"), get("HTTP_X_ORIGINAL_URL")
        if uri is None and original is None:
            return _DIRECT if _FORWARDING.isdisjoint(environ) else None
        if uri is not None and "?" in uri:
            uri = uri.partition("?")[0]
        asked = (
            uri,
            original and original.partition("?")[0],
            get("HTTP_X_FORWARDED_HOST"),
            get("HTTP_X_FORWARDED_METHOD"),
            get("HTTP_X_ORIGINAL_METHOD"),
            get("REMOTE_ADDR"),
            settings.TRUSTED_PROXIES.text(),
        )
        if len("".join(filter(None, asked))) > MAX_CACHED_LENGTH:
            return self._find(asked)
        return self._cached(asked)

    def passes(
        self,
        environ: dict[str, Any],
        cached: UserResponse,
        now: Callable[[], datetime],
    ) -> bool:
        """Return True if a cached response is the answer to a request.

        `now` returns the current time.
        """
        candidates = self.candidates(environ)
        if candidates is None:
            return False
        rule = candidates[0]
        if rule.needs_client:
            rule = self.rule_for(candidates, environ, cached.role)
        if rule.asks_only_for_user:
            return True
        return judge(rule, cached.facts, now()).answer is Answer.PASS

    def rule_for(
        self,
        candidates: tuple[Rule, ...],
        environ: dict[str, Any],
        role: str | None,
    ) -> Rule:
        """Return the first of the `candidates` that the client meets."""
        return first_met(candidates, address_of_client(environ), role)

    def _find(self, asked: Asked) -> tuple[Rule, ...] | None:
        """Return the candidates for what the headers ask for."""
        target = self._target(asked)
        return None if target is None else self._rules.candidates(target)

    def _target(self, asked: Asked) -> Target | None:
        """Return the target that a trusted proxy names without doubt."""
        uri, original, host, method, original_method, peer, proxies = asked
        if not is_trusted_peer(peer, trusted_peers(proxies)):
            return None
        host = (host or "").rpartition(",")[2].strip(" \t")
        if original is not None:
            _, separator, rest = original.partition("://")
            named, slash, path = rest.partition("/")
            if not separator:
                return None
            if host and split_host(host) != split_host(named):
                return None
            if uri is not None and decoded_path(uri) != decoded_path(
                slash + path
            ):
                return None
            host, uri = named, slash + path
        if method and original_method and method != original_method:
            return None
        method = method or original_method
        if not method and not self._has_methods:
            method = "GET"
        return target_of(host, uri or "", method or "")


def open_gate() -> Gate | None:
    """Return the gate of `GATE_RULES`, or `None` without rules.

    Raise `ConfigurationError` for a file that cannot be used.
    """
    rules = configured_rules()
    return None if rules is None else Gate(rules)
