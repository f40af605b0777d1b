#!/usr/bin/env python3
"""`events`: what happened, as a list for people or a file for programs.

Its law: it asks and writes by the functions of the admins' desk, so that
both find the same.
"""

import sys
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from itertools import chain, islice
from pathlib import Path
from typing import IO, Any, TypeVar

import click

from vestibule.admin.filters import USUAL, parse_event_filter
from vestibule.audit import export as files
from vestibule.cli.commands import Interrupted
from vestibule.cli.output import (
    ProgressBar,
    format_time,
    json_option,
    progress_bar,
    show_json,
    show_table,
)
from vestibule.cli.store import require_database
from vestibule.core.atomic_file import atomic_file
from vestibule.db import events as happened
from vestibule.db.events import EventFilter
from vestibule.sessions.device import device_name

#: What Ctrl-C leaves, and how to go on.
_CUT = "the output is cut: begin anew, with --output for a file that is whole"
_NOTHING = "{} is not there: begin anew"
F = TypeVar("F", bound=Callable[..., Any])

#: What events are chosen by, and what each means.
_FILTERS = {
    "until": "Only what happened before this moment.",
    "since": "Only what happened from this moment of ISO 8601 on, in UTC.",
    "network": "Only from the network of this address.",
    "kind": "Only events of this kind.",
    "user": "Only what happened to the user of this email or id.",
}


def filters(command: F) -> F:
    """Give a `command` the options that choose events."""
    for name, meaning in _FILTERS.items():
        option: Callable[[F], F] = click.option(f"--{name}", help=meaning)
        command = option(command)
    return command


@click.group()
def events() -> None:
    """Read what happened: the security log in the database."""


@events.command("list")
@filters
@click.option(
    "--limit",
    type=click.IntRange(min=1),
    default=USUAL,
    show_default=True,
    help="As many at most.",
)
@json_option
def list_events(limit: int, as_json: bool, **given: str | None) -> None:
    """List the latest events, the newest first."""
    require_database()
    found = islice(
        chain.from_iterable(files.event_batches(_wanted(given))), limit
    )
    if as_json:
        show_json(map(files.event_record, found))
        return
    show_table(
        ("time (UTC)", "kind", "user id", "by", "address", "device"),
        (
            (
                format_time(one.at),
                one.kind if one.times == 1 else f"{one.kind} x{one.times}",
                one.user_id,
                one.by_id,
                one.ip,
                device_name(one.user_agent),
            )
            for one in found
        ),
    )


@events.command()
@filters
@click.option(
    "--format",
    "form",
    type=click.Choice(list(files.FORMATS)),
    default="csv",
    show_default=True,
    help="The form of the file.",
)
@click.option(
    "--output",
    type=click.Path(path_type=Path),
    help="A new file, which appears when it is whole.",
)
def export(form: str, output: Path | None, **given: str | None) -> None:
    """Write all events to standard output, the newest first."""
    require_database()
    wanted, chosen = _wanted(given), files.FORMATS[form]
    if output is None:
        _write(wanted, chosen, None, _CUT)
        return
    with atomic_file(output) as name, open(name, "wb") as file:
        _write(wanted, chosen, file, _NOTHING.format(output))
    click.echo(f"wrote {output}")


def _write(
    wanted: EventFilter, form: files.Format, file: IO[bytes] | None, then: str
) -> None:
    """Write all events that are wanted, to standard output without a `file`.

    `then` says what Ctrl-C leaves, and how to go on.
    """
    total, done = happened.count_events(wanted), 0

    def told(number: int) -> None:
        """Show that so many more are written."""
        nonlocal done
        done += number
        shown.advance(number)

    try:
        with _bar(total, file) as shown:
            for piece in files.stream_events(wanted, form, told):
                click.echo(piece, file, nl=False)
    except KeyboardInterrupt:
        raise Interrupted(
            f"{done} of {total} events were written; {then}"
        ) from None


def _bar(
    total: int, file: IO[bytes] | None
) -> AbstractContextManager[ProgressBar]:
    """Show a bar, but not among lines that a terminal shows already."""
    if file is None and sys.stdout and sys.stdout.isatty():
        return nullcontext(ProgressBar())
    return progress_bar("exporting", total)


def _wanted(given: dict[str, str | None]) -> EventFilter:
    """Return which events the options ask for; raise `InvalidValue`."""
    return parse_event_filter(
        {name: text or "" for name, text in given.items()}
    )
