#!/usr/bin/env python3
"""Measures beside the peers, and prints one table: `python -m bench.peers`."""

import os
import shutil
import signal
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import click
from rich.console import Console
from rich.table import Table

from bench import cores
from bench.load import Generator
from bench.peers import environment, installation, scenarios
from bench.peers.comparison import markdown
from bench.peers.installation import Installation
from bench.peers.scenarios import Setting
from bench.rows import Rounds, Row

SCENARIOS: dict[str, Callable[[Setting], Iterator[Row]]] = {
    "whoami": scenarios.whoami,
    "logins": scenarios.logins,
    "routes": scenarios.fastapi_routes,
}
HEADINGS = ("what", "goal", "measured", "of all rounds", "reached", "seen")


@click.command()
@click.option(
    "--rounds",
    default=5,
    type=click.IntRange(1, 20),
    show_default=True,
    help="How often each thing is measured, in turn.",
)
@click.option(
    "--seconds",
    default=2,
    type=click.IntRange(1, 10),
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
    "--folder",
    type=click.Path(path_type=Path),
    help="Where the peers are installed, outside the tree."
    " [default: $PEERS_DIR, else in the user's cache]",
)
@click.option(
    "--as-markdown", is_flag=True, help="Print the table as Markdown."
)
def main(
    rounds: int,
    seconds: int,
    only: tuple[str, ...],
    folder: Path | None,
    as_markdown: bool,
) -> None:
    """Measure Vestibule and its peers in one run; print one table."""
    if not hasattr(os, "sched_setaffinity"):
        raise click.ClickException("cores can be chosen on Linux only")
    if shutil.which("wrk") is None:
        raise click.ClickException(
            "the load is made by wrk, which is not installed; the"
            " project's own client is too slow to measure by and does not"
            " read all that the peers answer"
        )
    # A file or a pipe has no width of its own.
    console = Console(width=None if sys.stdout.isatty() else 140)
    place = installed(folder or installation.default(), console)
    cores.pin_load()
    # Who ends it by its id ends what it started, too.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    with tempfile.TemporaryDirectory(prefix="peers") as scratch:
        setting = Setting(
            place,
            Path(scratch),
            Generator(Path(scratch), "wrk"),
            Rounds(rounds, seconds),
        )
        rows = measured(setting, only or tuple(SCENARIOS), console)
    said = environment.footnotes(place, setting.rounds, setting.left_out)
    show(rows, said, as_markdown, console)


def measured(
    setting: Setting, wanted: tuple[str, ...], console: Console
) -> list[Row]:
    """Return the lines of the `wanted` comparisons.

    A server that does not start or answers wrongly ends the run, with a
    sentence that names it.
    """
    rows: list[Row] = []
    try:
        for what in wanted:
            with console.status(f"measuring {what} ..."):
                rows += SCENARIOS[what](setting)
    except RuntimeError as error:
        raise click.ClickException(str(error)) from None
    return rows


def installed(folder: Path, console: Console) -> Installation:
    """Return the folder with everything installed that can be."""
    try:
        place = Installation(folder)
        with console.status(f"installing the peers in {folder} ..."):
            place.install("peers", installation.PEERS)
            place.install("own", installation.OWN)
    except (RuntimeError, ValueError) as error:
        raise click.ClickException(str(error)) from None
    if place.has_node():
        try:
            with console.status("installing the peers of Node ..."):
                place.install_node()
        except RuntimeError as error:
            click.echo(f"Node's peers are left out: {error}", err=True)
    return place


def show(
    rows: list[Row], said: list[str], as_markdown: bool, console: Console
) -> None:
    """Print the table, and below it how it came about."""
    if as_markdown:
        print(markdown(HEADINGS, rows), *said, sep="\n\n")
        return
    table = Table(*HEADINGS)
    for row in rows:
        table.add_row(*row.cells())
    console.print(table)
    for line in said:
        console.print(line, highlight=False, soft_wrap=False)


if __name__ == "__main__":
    main()
