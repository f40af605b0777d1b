#!/usr/bin/env python3
"""`gate`: explain what forward authentication decides, by `GATE_RULES`."""

from datetime import timedelta
from typing import Any

import click

from vestibule.accounts.factor_requirement import is_factor_due
from vestibule.accounts.gate import AskedUrl, Verdict, explain
from vestibule.accounts.permissions import is_disabled
from vestibule.cli.arguments import find_user
from vestibule.cli.commands import CommandError
from vestibule.cli.output import json_option, show_result
from vestibule.core import clock
from vestibule.core.gate_rules import GateRules, Rule
from vestibule.core.gate_rules_file import configured_rules
from vestibule.db import factors
from vestibule.db.models.user import User
from vestibule.sessions.facts import SessionFacts


@click.group()
def gate() -> None:
    """Explain the rules of forward authentication."""


@gate.command("explain")
@click.argument("url")
@click.option(
    "--as",
    "email_or_id",
    metavar="EMAIL_OR_ID",
    help="The user who asks; without it an anonymous client.",
)
@click.option("--method", default="GET", show_default=True)
@click.option(
    "--from", "address", default="", help="The address of the client."
)
@click.option(
    "--level",
    type=click.IntRange(1, 2),
    help="The level of the session. [default: 2 for a user with a factor]",
)
@click.option(
    "--phishing-resistant",
    is_flag=True,
    help="The session has a factor that cannot be phished.",
)
@click.option(
    "--age",
    type=click.IntRange(0, 315_360_000),
    default=0,
    show_default=True,
    help="Seconds since the last password or factor.",
)
@json_option
def explain_url(
    url: str,
    email_or_id: str | None,
    method: str,
    address: str,
    as_json: bool,
    **session: Any,
) -> None:
    """Say which rule counts for URL, and which fact is missing.

    The user is taken as just signed in, unless the options say otherwise.
    """
    if "://" not in url:
        raise CommandError("the URL must begin with https:// or http://")
    user = None if email_or_id is None else find_user(email_or_id)
    facts = None if user is None else _facts(user, **session)
    asked = AskedUrl(url, method, address, user.role if user else None)
    rules = configured_rules() or GateRules(())
    verdict = explain(rules, asked, facts, clock.now())
    described = _described(verdict, user is not None and facts is None)
    show_result(described, _text(described), as_json)


def _facts(
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


def _described(verdict: Verdict | None, is_refused: bool) -> dict[str, Any]:
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


def _text(described: dict[str, Any]) -> str:
    """Return a decision in lines for people."""
    rule = described["rule"]
    named = f"number {rule['number']}, line {rule['line']}" if rule else "none"
    lines = [
        f"rule:    {named}",
        f"asks:    {described['asks']}",
        f"answer:  {described['answer']}",
        f"missing: {', '.join(described['missing']) or 'nothing'}",
    ]
    if not described["user_counts"]:
        lines.append(
            "the user counts as anonymous: disabled, or without the second"
            " factor that REQUIRE_MFA asks for"
        )
    return "\n".join(lines)
