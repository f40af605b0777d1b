#!/usr/bin/env python3
"""The bar that shows how far a long job is, and how long it still takes.

Its law: it is for a person who waits. It is drawn on standard error and
only on a terminal, and nothing of it stays.
"""

import sys
from collections.abc import Iterator
from contextlib import contextmanager

import click
from rich.console import Console
from rich.progress import (
    BarColumn,
    Progress,
    TaskProgressColumn,
    TextColumn,
    TimeRemainingColumn,
)

from vestibule.observe.printable import printable


class Bar:
    """How far a job is, told to nobody."""

    def advance(self, done: int = 1) -> None:
        """Note that so much more is done."""

    def reach(self, done: int, total: int) -> None:
        """Note that so much is done, of a `total` that is known by now."""

    def say(self, line: str) -> None:
        """Print a line on standard error."""
        click.echo(printable(line), err=True)


class DrawnBar(Bar):
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
            printable(line), markup=False, highlight=False
        )


@contextmanager
def bar(what: str, total: int | None = None) -> Iterator[Bar]:
    """Show a bar for a job called `what`, of `total` steps if that is known.

    A terminal of 40 columns has room for all of it.
    """
    if not (sys.stderr and sys.stderr.isatty()):
        yield Bar()
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
        yield DrawnBar(progress, what, total)
