#!/usr/bin/env python3
"""The decision of a rule of the gate about a user, and its explanation.

Forward authentication decides by `judge`. The command and the admin page
that explain a decision to an admin ask the same function.
"""

from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any, NamedTuple

from vestibule.accounts.permissions import is_disabled, is_factor_due
from vestibule.core import clock
from vestibule.core.assurance import Fact, missing_facts
from vestibule.core.gate_rules import Access, GateRules, Rule, target_of
from vestibule.core.gate_rules_file import configured_rules
from vestibule.db import factors
from vestibule.db.models.user import User
from vestibule.sessions.facts import SessionFacts, assurance_of


class Answer(StrEnum):
    """What forward authentication does with a request."""

    PASS = "pass"
    #: The request is passed on without a user.
    ANONYMOUS = "anonymous"
    SIGN_IN = "sign-in"
    #: The user has to prove more.
    STEP_UP = "step-up"
    DENY = "deny"


class AskedUrl(NamedTuple):
    """A request to explain: its URL, and what is known of the client."""

    url: str
    method: str
    address: str
    #: The role of the user, if there is one.
    role: str | None


class Verdict(NamedTuple):
    """The answer to a request, and the facts that it lacks."""

    rule: Rule
    answer: Answer
    missing: tuple[Fact, ...] = ()


def judge(rule: Rule, facts: SessionFacts | None, now: datetime) -> Verdict:
    """Return the decision of `rule`; without a user, `facts` is `None`."""
    if rule.access is Access.DENY:
        return Verdict(rule, Answer.DENY)
    if facts is None:
        if rule.access is Access.OPEN:
            return Verdict(rule, Answer.ANONYMOUS)
        return Verdict(rule, Answer.SIGN_IN, (Fact.SIGNED_IN,))
    if not rule.asks_for_more:
        return Verdict(rule, Answer.PASS)
    missing = missing_facts(rule, assurance_of(facts), now)
    return Verdict(rule, Answer.STEP_UP if missing else Answer.PASS, missing)


def explain(
    rules: GateRules,
    asked: AskedUrl,
    facts: SessionFacts | None,
    now: datetime,
) -> Verdict | None:
    """Return the decision about a URL; `None` for one that is refused.

    `facts` are those of the user's session, or `None` without a user.
    """
    _, _, rest = asked.url.partition("#")[0].partition("://")
    host, slash, path = rest.partition("/")
    target = target_of(host, f"{slash}{path}" or "/", asked.method)
    if target is None:
        return None
    role = None if facts is None else asked.role
    return judge(rules.rule_for(target, asked.address, role), facts, now)


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
