#!/usr/bin/env python3
"""The decision of a rule of the gate about a user, and what is missing.

Forward authentication decides by `judge`, and so do the command and the page
that explain a decision.
"""

from datetime import datetime
from enum import StrEnum
from typing import NamedTuple

from vestibule.core.assurance import Fact, missing_facts
from vestibule.core.gate_rules import Access, GateRules, Rule, target_of
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
