#!/usr/bin/env python3
"""`doctor`: look a deployment over and say what to mend."""

import sys
from itertools import chain

import click
from rich.console import Console
from rich.text import Text

from vestibule.cli.output import json_option, show_json
from vestibule.server.local_checks import CheckResult, Level, run_checks
from vestibule.server.remote_checks import check_deployment

_STYLES = {Level.GOOD: "green", Level.WEAK: "yellow", Level.WRONG: "bold red"}


@click.command()
@click.option("--url", help="Look at the service that runs there, too.")
@json_option
def doctor(url: str | None, as_json: bool) -> None:
    """Look the settings, the database and a running service over.

    Exit code 1 if something is wrong, 0 if at most something is weak.
    """
    wrong = False
    console = Console(highlight=False, soft_wrap=True)
    seen = []
    for finding in chain(run_checks(), check_deployment(url) if url else ()):
        wrong |= finding.grade is Level.WRONG
        if as_json:
            seen.append(finding._asdict())
        else:
            _print(console, finding)
    if as_json:
        show_json(seen)
    sys.exit(1 if wrong else 0)


def _print(console: Console, finding: CheckResult) -> None:
    """Print a finding, and below it how to mend that."""
    line = Text(f"{finding.grade:5} ", style=_STYLES[finding.grade])
    line.append(finding.what, style="default")
    console.print(line)
    if finding.mend:
        console.print(Text(f"      mend: {finding.mend}"))
