#!/usr/bin/env python3
"""Lists out: tables for people, lines or JSON for programs.

Its law: no text from the database reaches a terminal as a control
sequence, nothing of a cell is left out, and a list of any length takes
the memory of a page.
"""

import json
import sys
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from itertools import chain, islice
from typing import TYPE_CHECKING, Any, TypeVar

import click

from vestibule.observe.printable import printable

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


def moment_text(moment: datetime | None) -> str | None:
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
    shown = ([printable(cell or "-") for cell in row] for row in rows)
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
        max(map(cell_len, cells))
        for cells in zip(columns, *rows, strict=True)
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
