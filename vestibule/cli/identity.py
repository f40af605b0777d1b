#!/usr/bin/env python3
"""`identity`: list and rotate the keys that sign identities.

A key is shown by its id alone.
"""

import click

from vestibule.cli.arguments import refuse_older_schema, require_database
from vestibule.cli.output import json_option, show_json, show_table
from vestibule.identity import keys


@click.group()
def identity() -> None:
    """Work with the signing keys."""


@identity.command("list")
@json_option
def list_keys(as_json: bool) -> None:
    """List the keys, oldest first.

    Tokens name their key by this id (`kid`). It is no secret.
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
    help="Delete all other keys: tokens they signed are refused.",
)
def rotate(at_once: bool) -> None:
    """Make a new key; it signs once applications had time to fetch it."""
    refuse_older_schema()
    click.echo(keys.rotate(at_once))
