#!/usr/bin/env python3
"""The decision of a rule of the gate about a user, and what is missing.

Forward authentication decides by `judge`, and so do the command and the page
that explain a decision.
"""

from collections.abc import Mapping
from datetime import datetime, timedelta
from enum import StrEnum
from typing import NamedTuple

from vestibule.accounts.credentials import is_recent_auth
from vestibule.core.gate_rules import Access, GateRules, Rule, target_of
from vestibule.sessions.facts import ACR_PREFIX, SessionFacts, level_of

#: The `acr` of a phishing-resistant sign-in (OpenID Connect EAP ACR Values).
PHISHING_RESISTANT_ACR = "phr"


class Answer(StrEnum):
    """What forward authentication does with a request."""

    PASS = "pass"
    #: The request is passed on without a user.
    ANONYMOUS = "anonymous"
    SIGN_IN = "sign-in"
    #: The user has to prove more.
    STEP_UP = "step-up"
    DENY = "deny"


class Fact(StrEnum):
    """A fact that a rule asks for."""

    SIGNED_IN = "signed-in"
    LEVEL = "level"
    PHISHING_RESISTANT = "phishing-resistant"
    FRESH = "fresh"


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
    missing = missing_facts(rule, facts, now)
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


def missing_facts(
    rule: Rule, facts: SessionFacts, now: datetime
) -> tuple[Fact, ...]:
    """Return the facts that a rule asks for and a session does not have."""
    missing = []
    if level_of(facts) < rule.level:
        missing.append(Fact.LEVEL)
    if rule.phishing_resistant and not facts.phishing_resistant:
        missing.append(Fact.PHISHING_RESISTANT)
    if rule.fresh is not None and not is_recent_auth(
        facts.auth_time, timedelta(seconds=rule.fresh), now
    ):
        missing.append(Fact.FRESH)
    return tuple(missing)


def acr_values(rule: Rule) -> str:
    """Return the `acr` that a rule asks for; empty for any."""
    if rule.phishing_resistant:
        return PHISHING_RESISTANT_ACR
    return f"{ACR_PREFIX}{rule.level}" if rule.level > 1 else ""


def asked_query(rule: Rule) -> dict[str, str]:
    """Return what a rule asks for as the query of the step-up page."""
    asked = {"level": str(rule.level)} if rule.level > 1 else {}
    if rule.phishing_resistant:
        asked["phishing-resistant"] = "on"
    if rule.fresh is not None:
        asked["fresh"] = str(rule.fresh)
    return asked


def asked_rule(query: Mapping[str, str]) -> Rule:
    """Return the rule of the query of the step-up page.

    Anyone can write that query. It says only what the page asks for: the
    decision is made again when the user is back.
    """
    fresh = query.get("fresh", "")
    is_number = fresh.isascii() and fresh.isdigit() and len(fresh) < 9
    return Rule(
        level=2 if query.get("level") == "2" else 1,
        phishing_resistant=query.get("phishing-resistant") == "on",
        fresh=int(fresh) if is_number else None,
    )
