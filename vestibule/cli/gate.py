#!/usr/bin/env python3
"""`gate`: explain what forward authentication decides, by `GATE_RULES`."""

from typing import Any

import click

from vestibule.accounts.gate import explained
from vestibule.cli.arguments import find_user
from vestibule.cli.commands import CommandError
from vestibule.cli.output import json_option, show_result


@click.group()
def gate() -> None:
    """Explain the rules of forward authentication."""


@gate.command("explain")
@click.argument("url")
@click.option(
    "--as",
    "email_or_id",
    metavar="EMAIL_OR_ID",
    help="The user of the request; without it, it is anonymous.",
)
@click.option(
    "--method",
    default="GET",
    show_default=True,
    help="The method of the request.",
)
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
    described = explained(url, method, address, user, **session)
    show_result(described, _text(described), as_json)


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
