#!/usr/bin/env python3
"""The output of commands: tables, JSON, and progress bars.

No text from the database reaches a terminal as a control sequence, no cell
is shortened, and a list of any length takes the memory of one page. A
progress bar is drawn on standard error, only on a terminal, and disappears.
"""

import json
import shutil
import signal
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from itertools import chain, islice
from types import FrameType
from typing import TYPE_CHECKING, Any, TypeVar

import click

from vestibule.core.text import escape_control_characters

if TYPE_CHECKING:
    from rich.progress import Progress

F = TypeVar("F", bound=Callable[..., Any])

#: Rows of one table; the next one begins with the column names again.
PAGE_ROWS = 500
#: Characters of a word that is never broken over two lines, so that ids and
#: addresses can be copied.
MAX_WHOLE_WORD = 64
_GAP = "  "


class ProgressBar:
    """Progress that is not shown, because there is no terminal."""

    #: True after Ctrl-C.
    is_interrupted = False

    def interrupt(self, number: int, frame: FrameType | None) -> None:
        """Handle Ctrl-C: the next step raises the error once more.

        Python drops an error that a signal raises inside of a destructor or
        of a function that a C library calls, and the job would go on.
        """
        self.is_interrupted = True
        signal.default_int_handler(number, frame)

    def advance(self, steps: int = 1) -> None:
        """Add finished `steps`; raise `KeyboardInterrupt` after Ctrl-C."""
        if self.is_interrupted:
            raise KeyboardInterrupt

    def update(self, done: int, total: int) -> None:
        """Set how many steps of a `total` are finished, as `advance`."""
        if self.is_interrupted:
            raise KeyboardInterrupt

    def print(self, line: str) -> None:
        """Print a line on standard error."""
        click.echo(escape_control_characters(line), err=True)


class TerminalProgressBar(ProgressBar):
    """A progress bar on a terminal."""

    def __init__(
        self, progress: "Progress", label: str, total: int | None
    ) -> None:
        """Begin with nothing finished of a `total`."""
        self._progress = progress
        self._task = progress.add_task(label, total=total)

    def advance(self, steps: int = 1) -> None:
        """Add finished `steps`, and draw them soon."""
        super().advance(steps)
        self._progress.advance(self._task, steps)

    def update(self, done: int, total: int) -> None:
        """Set the finished steps and the total, and draw them soon."""
        super().update(done, total)
        self._progress.update(self._task, completed=done, total=total)

    def print(self, line: str) -> None:
        """Print a line above the bar."""
        self._progress.console.print(
            escape_control_characters(line), markup=False, highlight=False
        )


@contextmanager
def progress_bar(
    label: str, total: int | None = None
) -> Iterator[ProgressBar]:
    """Show a bar for a job of `total` steps, if that is known.

    It fits a terminal of 40 columns. Ctrl-C ends the job at its next step.
    """
    with _shown_bar(label, total) as bar:
        before = signal.getsignal(signal.SIGINT)
        # A shell lets its background jobs ignore Ctrl-C.
        if before is signal.default_int_handler:
            signal.signal(signal.SIGINT, bar.interrupt)
        try:
            yield bar
        finally:
            if before is signal.default_int_handler:
                signal.signal(signal.SIGINT, before)


@contextmanager
def _shown_bar(label: str, total: int | None) -> Iterator[ProgressBar]:
    """Show the bar, if there is a terminal."""
    if not (sys.stderr and sys.stderr.isatty()):
        yield ProgressBar()
        return
    # Imported here because rich takes longer to load than the rest.
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        Progress,
        TaskProgressColumn,
        TextColumn,
        TimeRemainingColumn,
    )

    with Progress(
        TextColumn("{task.description}"),
        BarColumn(bar_width=None),
        TaskProgressColumn(),
        TimeRemainingColumn(compact=True),
        console=Console(
            stderr=True,
            soft_wrap=True,
            width=shutil.get_terminal_size().columns,
        ),
        transient=True,
        expand=True,
    ) as progress:
        yield TerminalProgressBar(progress, label, total)


def json_option(command: F) -> F:
    """Add the option `--json` to a `command`."""
    option: Callable[[F], F] = click.option(
        "--json", "as_json", is_flag=True, help="Print JSON."
    )
    return option(command)


def format_time(moment: datetime | None) -> str | None:
    """Return a moment in UTC as the API's JSON writes it."""
    return None if moment is None else f"{moment:%Y-%m-%d %H:%M:%S}"


def show_json(objects: Iterable[dict[str, Any]]) -> None:
    """Print an array with one object on each line.

    Characters outside ASCII are escaped: they could control a terminal.
    """
    separator = "[\n"
    for each in objects:
        click.echo(separator + json.dumps(each), nl=False)
        separator = ",\n"
    click.echo("[]" if separator == "[\n" else "\n]")


def show_result(result: Mapping[str, Any], text: str, as_json: bool) -> None:
    """Print what a command did: `text`, or `result` as one line of JSON."""
    click.echo(json.dumps(result) if as_json else text)


def show_table(
    columns: Sequence[str], rows: Iterable[Sequence[str | None]]
) -> None:
    """Print `rows` below the names of their `columns`.

    A terminal gets tables, or records where it is too narrow for them; a
    file or a program gets lines with tabs between the cells.
    """
    shown = (
        [escape_control_characters(cell or "-") for cell in row]
        for row in rows
    )
    if not sys.stdout.isatty():
        # An error at the first row comes before anything is printed.
        for cells in chain([columns], list(islice(shown, 1)), shown):
            click.echo("\t".join(cells))
        return
    page = list(islice(shown, PAGE_ROWS))
    while True:
        _print_table(columns, page)
        page = list(islice(shown, PAGE_ROWS))
        if not page:
            return


def _print_table(
    columns: Sequence[str], rows: Sequence[Sequence[str]]
) -> None:
    """Print one page as a table, or as records if it is too wide.

    Long cells are folded between words, and only very long words are broken.
    """
    from rich.cells import cell_len
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    width = shutil.get_terminal_size().columns
    narrowest = [
        min(MAX_WHOLE_WORD, max(map(cell_len, " ".join(cells).split())))
        for cells in zip(columns, *rows, strict=True)
    ]
    left = width - sum(narrowest) - len(_GAP) * (len(columns) - 1)
    if left < 0:
        _print_records(columns, rows)
        return
    table = Table(box=None, pad_edge=False)
    for number, name in enumerate(columns):
        longest = max(cell_len(cells[number]) for cells in (columns, *rows))
        more = min(left, longest - narrowest[number])
        left -= more
        table.add_column(name, overflow="fold", width=narrowest[number] + more)
    for cells in rows:
        table.add_row(*map(Text, cells))
    Console(highlight=False, width=width).print(table)


def _print_records(
    columns: Sequence[str], rows: Sequence[Sequence[str]]
) -> None:
    """Print each row as lines with the name of a column and its cell."""
    for cells in rows:
        for name, cell in zip(columns, cells, strict=True):
            click.echo(f"{name}{_GAP}{cell}")
        click.echo()
