#!/usr/bin/env python3
"""`events`: list and export the security log in the database.

Filters and export are those of the admin pages, so both find the same.
"""

import sys
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from itertools import chain, islice
from pathlib import Path
from typing import IO, Any, TypeVar

import click

from vestibule.admin.filters import DEFAULT_PAGE_ROWS, parse_event_filter
from vestibule.audit import export as event_export
from vestibule.cli.arguments import require_database
from vestibule.cli.commands import Interrupted
from vestibule.cli.output import (
    ProgressBar,
    format_time,
    json_option,
    progress_bar,
    show_json,
    show_table,
)
from vestibule.core.atomic_file import atomic_file
from vestibule.core.client_info import device_name
from vestibule.db import events as stored_events
from vestibule.db.events import EventFilter

#: What Ctrl-C leaves, and how to continue.
_CUT = "the output is cut: export again, with --output for a complete file"
_NO_FILE = "{} was not written: export again"
F = TypeVar("F", bound=Callable[..., Any])

#: The filters, last one first in help, and their meanings.
_FILTERS = {
    "until": "Only events before this time.",
    "since": "Only events from this time on, in ISO 8601 and UTC.",
    "network": "Only events from the network of this address.",
    "kind": "Only events of this kind.",
    "user": "Only events of the user with this email or id.",
}


def filter_options(command: F) -> F:
    """Add the options that filter events to a `command`."""
    for name, meaning in _FILTERS.items():
        option: Callable[[F], F] = click.option(f"--{name}", help=meaning)
        command = option(command)
    return command


@click.group()
def events() -> None:
    """Read the security log."""


@events.command("list")
@filter_options
@click.option(
    "--limit",
    type=click.IntRange(min=1),
    default=DEFAULT_PAGE_ROWS,
    show_default=True,
    help="How many events to list at most.",
)
@json_option
def list_events(limit: int, as_json: bool, **options: str | None) -> None:
    """List the latest events, newest first."""
    require_database()
    found = islice(
        chain.from_iterable(
            event_export.event_batches(_event_filter(options))
        ),
        limit,
    )
    if as_json:
        show_json(map(event_export.event_record, found))
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
@filter_options
@click.option(
    "--format",
    "form",
    type=click.Choice(list(event_export.FORMATS)),
    default="csv",
    show_default=True,
    help="The format of the file.",
)
@click.option(
    "--output",
    type=click.Path(path_type=Path),
    help="A new file, which appears once it is complete.",
)
def export(form: str, output: Path | None, **options: str | None) -> None:
    """Write all events to standard output, newest first."""
    require_database()
    wanted, chosen = _event_filter(options), event_export.FORMATS[form]
    if output is None:
        _write(wanted, chosen, None, _CUT)
        return
    with atomic_file(output) as name, open(name, "wb") as file:
        _write(wanted, chosen, file, _NO_FILE.format(output))
    click.echo(f"wrote {output}")


def _write(
    wanted: EventFilter,
    form: event_export.Format,
    file: IO[bytes] | None,
    after_interrupt: str,
) -> None:
    """Write the filtered events to `file`, by default standard output.

    `after_interrupt` says what Ctrl-C leaves, and how to continue.
    """
    total, done = stored_events.count_events(wanted), 0

    def count_written(number: int) -> None:
        """Count more written events, and show them."""
        nonlocal done
        done += number
        bar.advance(number)

    try:
        with _bar(total, file) as bar:
            for chunk in event_export.stream_events(
                wanted, form, count_written
            ):
                click.echo(chunk, file, nl=False)
    except KeyboardInterrupt:
        raise Interrupted(
            f"{done} of {total} events were written; {after_interrupt}"
        ) from None


def _bar(
    total: int, file: IO[bytes] | None
) -> AbstractContextManager[ProgressBar]:
    """Show a bar, unless the terminal shows the exported lines."""
    if file is None and sys.stdout and sys.stdout.isatty():
        return nullcontext(ProgressBar())
    return progress_bar("exporting", total)


def _event_filter(options: dict[str, str | None]) -> EventFilter:
    """Return the filter that the options give; raise `InvalidValue`."""
    return parse_event_filter(
        {name: text or "" for name, text in options.items()}
    )
