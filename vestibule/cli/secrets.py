#!/usr/bin/env python3
"""`secrets`: make the keys that encrypt stored secrets, and replace them."""

import os
from pathlib import Path

import click

from vestibule.cli.arguments import require_database
from vestibule.cli.commands import CommandError, Interrupted
from vestibule.cli.output import (
    json_option,
    show_json,
    show_result,
    show_table,
)
from vestibule.core import crypto
from vestibule.core.atomic_file import atomic_file
from vestibule.core.command_line import command_line
from vestibule.core.crypto import DecryptionFailed, Place
from vestibule.core.text import escape_control_characters
from vestibule.db import stored_secrets

#: Places of values that could not be decrypted which are listed.
MAX_PLACES_SHOWN = 20


@click.group()
def secrets() -> None:
    """Work with the keys that encrypt stored secrets."""


@secrets.command("new")
@click.argument("file", required=False, type=click.Path(path_type=Path))
def new_key(file: Path | None) -> None:
    """Make a new key, which encrypts from the next start on.

    With FILE the key is written there, before the keys that the file has,
    with mode 0600. Without it the key is printed, for SECRETS_KEY.
    """
    key = crypto.new_key()
    if file is None:
        click.echo(key)
        return
    before = ""
    if os.path.lexists(file):
        before = crypto.read_key_file(str(file))
        # A file that is something else is left as it is.
        crypto.parse_keys(before, str(file))
    shown = escape_control_characters(str(file))
    with atomic_file(file, replace=bool(before)) as name:
        Path(name).write_text(f"{key}\n{before}", encoding="utf-8")
    click.echo(f"wrote a new key to {shown}, as the first one")


@secrets.command("list")
@json_option
def list_keys(as_json: bool) -> None:
    """List the ids of the keys, and how many values each has encrypted."""
    require_database()
    ids = crypto.key_ring().key_ids
    counts = stored_secrets.count_values_by_key()
    rows = [
        {
            "id": id,
            "values": counts[id],
            "encrypts": id == ids[0],
            "is_configured": id in ids,
        }
        for id in [*ids, *sorted(counts.keys() - set(ids))]
    ]
    if as_json:
        show_json(rows)
        return
    show_table(
        ("key", "values", "state"),
        (
            (
                str(row["id"]),
                str(row["values"]),
                "encrypts"
                if row["encrypts"]
                else ("decrypts" if row["is_configured"] else "missing"),
            )
            for row in rows
        ),
    )


@secrets.command()
@json_option
def rotate(as_json: bool) -> None:
    """Encrypt all stored secrets again, by the first key.

    Make a new key first, and restart the servers with it. An interrupted
    rotation continues when it is started again. A key may be removed when
    `secrets list` shows that it has no values.
    """
    require_database()
    ring = crypto.key_ring()

    def encrypt_again(stored: str, place: Place) -> str | None:
        """Return the value encrypted by the first key, if possible."""
        try:
            return ring.encrypt(ring.decrypt(stored, place), place)
        except DecryptionFailed:
            return None

    changed, failed = 0, list[Place]()
    try:
        for batch in stored_secrets.rotate(ring.current_prefix, encrypt_again):
            changed += batch.changed
            failed += batch.failed
    except KeyboardInterrupt:
        raise Interrupted(
            f"{changed} values are encrypted again; continue with"
            f" {command_line('secrets rotate')}"
        ) from None
    show_result(
        {"changed": changed, "failed": len(failed)},
        f"encrypted again: {changed}",
        as_json,
    )
    if failed:
        listed = ", ".join("/".join(one) for one in failed[:MAX_PLACES_SHOWN])
        raise CommandError(
            f"{len(failed)} values cannot be decrypted by any key:"
            f" {escape_control_characters(listed)}"
        )
