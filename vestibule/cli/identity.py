#!/usr/bin/env python3
"""`identity`: the keys that sign identities, and their rotation.

Its law: a key is shown by its name alone, and the rules of the keys say
which of them signs.
"""

import click

from vestibule.cli.output import json_option, show_json, show_table
from vestibule.cli.store import require_database
from vestibule.identity import keys


@click.group()
def identity() -> None:
    """Work with the keys that sign identities."""


@identity.command("list")
@json_option
def list_keys(as_json: bool) -> None:
    """List the keys, oldest first.

    The id is what tokens call a key by (`kid`); it signs nothing.
    """
    require_database()
    found = keys.key_states()
    if as_json:
        show_json(
            one._asdict() | {"since": one.since and one.since.isoformat()}
            for one in found
        )
        return
    show_table(
        ("id", "since (UTC)", "signs", "published"),
        (
            (
                one.id,
                f"{one.since:%Y-%m-%dT%H:%M:%S}" if one.since else None,
                "yes" if one.signs else "no",
                "yes" if one.published else "no",
            )
            for one in found
        ),
    )


@identity.command()
@click.option(
    "--at-once",
    is_flag=True,
    help="Drop all other keys: what they signed is refused.",
)
def rotate(at_once: bool) -> None:
    """Make a new key, which signs once applications could fetch it."""
    click.echo(keys.rotate(at_once))
