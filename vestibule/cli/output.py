#!/usr/bin/env python3
"""The bar that shows how far a long job is, and how long it still takes.

Its law: it is for a person who waits. It is drawn on standard error and
only on a terminal, and nothing of it stays.

Lists out: tables for people, lines or JSON for programs.

Its law: no text from the database reaches a terminal as a control
sequence, nothing of a cell is left out, and a list of any length takes
the memory of a page.
"""

import json
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from itertools import chain, islice
from typing import TYPE_CHECKING, Any, TypeVar

import click
from rich.console import Console
from rich.progress import (
    BarColumn,
    Progress,
    TaskProgressColumn,
    TextColumn,
    TimeRemainingColumn,
)

from vestibule.core.text import escape_control_characters


class ProgressBar:
    """How far a job is, told to nobody."""

    def advance(self, done: int = 1) -> None:
        """Note that so much more is done."""

    def reach(self, done: int, total: int) -> None:
        """Note that so much is done, of a `total` that is known by now."""

    def say(self, line: str) -> None:
        """Print a line on standard error."""
        click.echo(escape_control_characters(line), err=True)


class TerminalProgressBar(ProgressBar):
    """How far a job is, on a terminal."""

    def __init__(
        self, progress: Progress, what: str, total: int | None
    ) -> None:
        """Begin with nothing done of a `total`; `what` names the job."""
        self._progress = progress
        self._task = progress.add_task(what, total=total)

    def advance(self, done: int = 1) -> None:
        """Note that so much more is done, and draw it soon."""
        self._progress.advance(self._task, done)

    def reach(self, done: int, total: int) -> None:
        """Note how much is done of how much, and draw it soon."""
        self._progress.update(self._task, completed=done, total=total)

    def say(self, line: str) -> None:
        """Print a line above the bar."""
        self._progress.console.print(
            escape_control_characters(line), markup=False, highlight=False
        )


@contextmanager
def progress_bar(what: str, total: int | None = None) -> Iterator[ProgressBar]:
    """Show a bar for a job called `what`, of `total` steps if that is known.

    A terminal of 40 columns has room for all of it.
    """
    if not (sys.stderr and sys.stderr.isatty()):
        yield ProgressBar()
        return
    with Progress(
        TextColumn("{task.description}"),
        BarColumn(bar_width=None),
        TaskProgressColumn(),
        TimeRemainingColumn(compact=True),
        console=Console(stderr=True, soft_wrap=True),
        transient=True,
        expand=True,
    ) as progress:
        yield TerminalProgressBar(progress, what, total)


if TYPE_CHECKING:
    from rich.console import Console

F = TypeVar("F", bound=Callable[..., Any])

#: Rows of one table; the next begins with the names of the columns again.
PAGE = 500
#: Columns of the terminal that a folded cell is to have at least. Where
#: there are fewer, each row is a card with its cells below each other.
NARROWEST = 12


def json_option(command: F) -> F:
    """Give a `command` that lists the option to print JSON."""
    option: Callable[[F], F] = click.option(
        "--json", "as_json", is_flag=True, help="Print JSON."
    )
    return option(command)


def format_time(moment: datetime | None) -> str | None:
    """Return a moment in UTC as the API's JSON writes it."""
    return None if moment is None else f"{moment:%Y-%m-%d %H:%M:%S}"


def show_json(objects: Iterable[dict[str, Any]]) -> None:
    """Print an array with one object on each line.

    Whatever is not ASCII is escaped: it could steer a terminal.
    """
    separator = "[\n"
    for each in objects:
        click.echo(separator + json.dumps(each), nl=False)
        separator = ",\n"
    click.echo("[]" if separator == "[\n" else "\n]")


def show_table(
    columns: Sequence[str], rows: Iterable[Sequence[str | None]]
) -> None:
    """Print `rows` under the names of their `columns`.

    A person gets a table, or cards where it does not fit. A program gets
    lines with tabs between the cells.
    """
    shown = (
        [escape_control_characters(cell or "-") for cell in row]
        for row in rows
    )
    if not sys.stdout.isatty():
        # What fails at the first row fails before anything is printed.
        for cells in chain([columns], list(islice(shown, 1)), shown):
            click.echo("\t".join(cells))
        return
    # Not for a program's sake: it takes longer to load than the rest.
    from rich.console import Console

    console = Console(highlight=False)
    page = list(islice(shown, PAGE))
    while True:
        _print(console, columns, page)
        page = list(islice(shown, PAGE))
        if not page:
            return


def _print(
    console: "Console",
    columns: Sequence[str],
    rows: Sequence[Sequence[str]],
) -> None:
    """Print one page in the form that fits the terminal."""
    from rich.cells import cell_len

    widths = [
        max(map(cell_len, cells)) for cells in zip(columns, *rows, strict=True)
    ]
    needed = sum(min(width, NARROWEST) + 1 for width in widths) - 1
    if not rows:
        # A table would part the names where its columns are narrow.
        console.print("  ".join(columns), style="bold", markup=False)
    elif needed <= console.width:
        _print_table(console, columns, rows)
    else:
        _print_cards(console, columns, rows)


def _print_table(
    console: "Console",
    columns: Sequence[str],
    rows: Sequence[Sequence[str]],
) -> None:
    """Print the rows as lines; a long cell is folded."""
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, pad_edge=False)
    for column in columns:
        table.add_column(column, overflow="fold")
    for cells in rows:
        table.add_row(*map(Text, cells))
    console.print(table)


def _print_cards(
    console: "Console",
    columns: Sequence[str],
    rows: Sequence[Sequence[str]],
) -> None:
    """Print each row as lines of a column's name and a cell."""
    from rich.text import Text

    longest = max(map(len, columns))
    if longest + NARROWEST >= console.width:
        longest = 0
    for number, cells in enumerate(rows):
        if number:
            console.print()
        for column, cell in zip(columns, cells, strict=True):
            line = Text(f"{column:{longest}} ", style="bold", overflow="fold")
            console.print(line.append(cell, style="not bold"))
