#!/usr/bin/env python3
"""Measures, and prints one table: `python -m bench`."""

import os
import platform
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import click
from rich.console import Console
from rich.table import Table

from bench import (
    admin_pages,
    cores,
    forward_auth,
    hand_over,
    logins,
    look_ups,
    mails,
    second_factor,
    starts,
    trust,
)
from bench.load import Generator
from bench.rows import Rounds, Row
from vestibule.db import drivers

Scenario = Callable[[Path, Generator, Rounds], Iterator[Row]]

SCENARIOS: dict[str, Scenario] = {
    "look-ups": look_ups.against_bare_flask,
    "look-ups among many": look_ups.by_number,
    "logins": logins.rows,
    "a second factor": second_factor.rows,
    "watched sessions": trust.watched,
    "throttled logins": trust.throttled,
    "a purge": trust.purged,
    "forward authentication": forward_auth.verified,
    "verify with touches": forward_auth.touched,
    "verify with 100 rules": forward_auth.with_rules,
    "what verify and pages cost others": forward_auth.ungated,
    "verify behind nginx": forward_auth.behind_nginx,
    "two workers": forward_auth.by_workers,
    "a million verifies": forward_auth.remembered,
    "a hand-over": hand_over.handed_over,
    "admin pages": admin_pages.scales,
    "mails": mails.sent,
    "requests that send mail": mails.asked,
    "starts": starts.rows,
}
HEADINGS = ("what", "goal", "measured", "of all rounds", "reached", "seen")


@click.command()
@click.option(
    "--rounds",
    default=5,
    type=click.IntRange(1),
    show_default=True,
    help="How often each thing is measured, in turn.",
)
@click.option(
    "--seconds",
    default=2,
    type=click.IntRange(1),
    show_default=True,
    help="How long each thing is measured in a round.",
)
@click.option(
    "--only",
    multiple=True,
    type=click.Choice(list(SCENARIOS)),
    help="Measure this alone; may be given more than once.",
)
@click.option(
    "--tool",
    type=click.Choice(["wrk", "own"]),
    help="What makes the load. [default: wrk where installed]",
)
def main(
    rounds: int, seconds: int, only: tuple[str, ...], tool: str | None
) -> None:
    """Measure on one core and print one table of ratios."""
    if not hasattr(os, "sched_setaffinity"):
        raise click.ClickException("cores can be chosen on Linux only")
    # A file or a pipe has no width of its own.
    console = Console(width=None if sys.stdout.isatty() else 120)
    cores.pin_load()
    table = Table(*HEADINGS)
    with tempfile.TemporaryDirectory(prefix="bench") as folder:
        generator = Generator(Path(folder), tool)
        for what, scenario in SCENARIOS.items():
            if only and what not in only:
                continue
            with console.status(f"measuring {what} ..."):
                for row in scenario(
                    Path(folder), generator, Rounds(rounds, seconds)
                ):
                    table.add_row(*row.cells())
    table.caption = caption(generator.tool, rounds, seconds)
    console.print(table)


def caption(tool: str, rounds: int, seconds: int) -> str:
    """Say how the numbers came about."""
    shown = "wrk" if tool == "wrk" else "the project's own client"
    carried = ".".join(map(str, drivers.sqlite_driver().sqlite_version_info))
    shared = cores.serving() == cores.loading()
    return (
        f"Medians of {rounds} interleaved rounds of {seconds} s, unless"
        " a row says what it takes of a round."
        f" Server on core {cores.serving()}, load by {shown} on core"
        f" {cores.loading()}{' (the only one: read with care)' * shared}."
        f" Python {platform.python_version()}, SQLite {carried},"
        f" {platform.system()} {platform.machine()}."
    )


if __name__ == "__main__":
    main()
