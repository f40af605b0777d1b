#!/usr/bin/env python3
"""What the rules of the gate decide about a request, for an admin.

The command and the admin page ask the same, by `vestibule.accounts.gate`,
which decides for forward authentication too.
"""

from datetime import timedelta
from typing import Any

from vestibule.accounts.factor_requirement import is_factor_due
from vestibule.accounts.gate import AskedUrl, Verdict, explain
from vestibule.accounts.permissions import is_disabled
from vestibule.core import clock
from vestibule.core.gate_rules import GateRules, Rule
from vestibule.core.gate_rules_file import configured_rules
from vestibule.db import factors
from vestibule.db.models.user import User
from vestibule.sessions.facts import SessionFacts


def explained(
    url: str,
    method: str,
    address: str,
    user: User | None,
    level: int | None = None,
    phishing_resistant: bool = False,
    age: int = 0,
) -> dict[str, Any]:
    """Return the decision about a request as the members of an object.

    A user counts as signed in for `age` seconds, with the level that a new
    session would have, unless it is given. Raise `ConfigurationError`.
    """
    facts = None
    if user is not None:
        facts = hypothetical_facts(user, level, phishing_resistant, age)
    role = None if user is None else user.role
    asked = AskedUrl(url, method, address, role)
    rules = configured_rules() or GateRules(())
    verdict = explain(rules, asked, facts, clock.now())
    return describe(verdict, user is not None and facts is None)


def hypothetical_facts(
    user: User, level: int | None, phishing_resistant: bool, age: int
) -> SessionFacts | None:
    """Return the facts of a session of `user`; `None` if it counts nowhere.

    That is the case for a disabled user, and while a second factor is
    required that the session does not have.
    """
    level = level or (2 if factors.has_any(user.id) else 1)
    if is_disabled(user) or (level < 2 and is_factor_due(user, clock.now())):
        return None
    at = clock.now() - timedelta(seconds=age)
    return SessionFacts(
        at,
        second_factor_time=at if level > 1 else None,
        phishing_resistant=phishing_resistant,
    )


def describe(verdict: Verdict | None, is_refused: bool) -> dict[str, Any]:
    """Return a decision as the members of a JSON object."""
    if verdict is None:
        return {
            "rule": None,
            "asks": "nothing: the address is ambiguous",
            "answer": "deny",
            "missing": [],
            "user_counts": not is_refused,
        }
    rule = verdict.rule
    return {
        "rule": {"number": rule.number, "line": rule.line}
        if rule.number
        else None,
        "asks": described_rule(rule),
        "answer": verdict.answer.value,
        "missing": [fact.value for fact in verdict.missing],
        "user_counts": not is_refused,
    }


def described_rule(rule: Rule) -> str:
    """Return what a rule asks for, in the words of the file."""
    asks = [] if rule.asks_for_more else [rule.access.value]
    if rule.level > 1:
        asks.append(f"level = {rule.level}")
    if rule.phishing_resistant:
        asks.append("phishing-resistant")
    if rule.fresh is not None:
        asks.append(f"fresh = {rule.fresh}")
    return ", ".join(asks)
