#!/usr/bin/env python3
"""`events`: what happened, as a list for people or a file for programs.

Its law: it asks and writes by the functions of the admins' desk, so that
both find the same.
"""

from collections.abc import Callable
from itertools import chain, islice
from typing import Any, TypeVar

import click

from vestibule.cli.listing import (
    json_option,
    moment_text,
    show_json,
    show_table,
)
from vestibule.cli.store import require_database
from vestibule.desk import export as files
from vestibule.desk.filters import USUAL, events_of
from vestibule.sessions.device import device_of

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
    found = islice(chain.from_iterable(files.batches(_wanted(given))), limit)
    if as_json:
        show_json(map(files.record_of, found))
        return
    show_table(
        ("time (UTC)", "kind", "user id", "address", "device"),
        (
            (
                moment_text(one.at),
                one.kind if one.times == 1 else f"{one.kind} x{one.times}",
                one.user_id,
                one.ip,
                device_of(one.user_agent),
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
def export(form: str, **given: str | None) -> None:
    """Write all events to standard output, the newest first."""
    require_database()
    for piece in files.stream(_wanted(given), files.FORMATS[form]):
        click.echo(piece, nl=False)


def _wanted(given: dict[str, str | None]) -> Any:
    """Return which events the options ask for; raise `InvalidValue`."""
    return events_of({name: text or "" for name, text in given.items()})
