#!/usr/bin/env python3
"""`users import`: add the accounts of a file, and report on each row."""

from collections import Counter
from collections.abc import Iterable, Iterator
from typing import Any

import click

from vestibule.accounts.imports import (
    AddedRow,
    Outcome,
    WithoutPassword,
    add_users,
    read_csv,
    read_json_lines,
)
from vestibule.accounts.recovery import ResetCode
from vestibule.cli.arguments import current_actor, refuse_older_schema
from vestibule.cli.commands import CommandError, Interrupted
from vestibule.cli.output import (
    format_time,
    json_option,
    progress_bar,
    show_json,
    show_table,
)
from vestibule.core.errors import InvalidValue

#: The readers of the formats of `users import`.
FORMATS = {"csv": read_csv, "jsonl": read_json_lines}
_RESULTS = {
    Outcome.IMPORTED: "added",
    Outcome.PRESENT: "already there",
    Outcome.BAD: "bad",
}


@click.command("import")
@click.argument("file", type=click.Path(dir_okay=False, allow_dash=True))
@click.option(
    "--format",
    "form",
    type=click.Choice(list(FORMATS)),
    default="csv",
    show_default=True,
    help="The format of the file.",
)
@click.option(
    "--invite",
    is_flag=True,
    help="Print a code for each user without a password.",
)
@click.option(
    "--no-password",
    is_flag=True,
    help="Add users without a password too; they cannot sign in yet.",
)
@json_option
def import_users(
    file: str, form: str, invite: bool, no_password: bool, as_json: bool
) -> None:
    """Add the accounts of FILE; - is standard input.

    A row has email, first_name, last_name, role and password, of which only
    the email is required. Bad rows are named, and the exit code is 1. Users
    whose email is stored already are not changed.
    """
    if invite and no_password:
        raise click.UsageError("give --invite or --no-password, not both")
    refuse_older_schema()
    rule = WithoutPassword.INVITE if invite else WithoutPassword.REFUSE
    if no_password:
        rule = WithoutPassword.ALLOW
    counts: Counter[Outcome] = Counter()
    try:
        with click.open_file(file, encoding="utf-8-sig") as opened:
            rows = _counted(
                add_users(FORMATS[form](opened), rule, actor=current_actor()),
                counts,
            )
            if as_json:
                show_json(map(_row_object, rows))
            else:
                show_table(
                    ("row", "email", "id", "result", "code"),
                    map(_row_cells, rows),
                )
    except UnicodeDecodeError:
        raise InvalidValue(
            "the file", "is not UTF-8", code="invalid"
        ) from None
    except KeyboardInterrupt:
        raise Interrupted("the same command adds the others") from None
    finally:
        # Also after Ctrl-C: what was added stays.
        if counts:
            done = (f"{counts[each]} {_RESULTS[each]}" for each in Outcome)
            click.echo(", ".join(done), err=True)
    if counts[Outcome.BAD]:
        raise CommandError("some rows are bad; the others are not affected")


def _counted(
    rows: Iterable[AddedRow], counts: Counter[Outcome]
) -> Iterator[AddedRow]:
    """Yield the `rows`, counted by outcome."""
    with progress_bar("adding") as bar:
        for row in rows:
            counts[row.outcome] += 1
            bar.advance()
            yield row


def _row_cells(row: AddedRow) -> tuple[str | None, ...]:
    """Return the cells of a row's outcome."""
    result = _RESULTS[row.outcome]
    return (
        str(row.number),
        row.email,
        row.user.id if row.user else None,
        f"{result}: {row.why}" if row.why else result,
        row.code.code if row.code else None,
    )


def _row_object(row: AddedRow) -> dict[str, Any]:
    """Return the outcome of a row as JSON shows it."""
    return {
        "row": row.number,
        "email": row.email,
        "id": row.user.id if row.user else None,
        "result": _RESULTS[row.outcome],
        "error": row.why or None,
        **(code_object(row.code) if row.code else {}),
    }


def code_object(code: ResetCode) -> dict[str, Any]:
    """Return a code as JSON shows it, with the names that the API uses."""
    return {"code": code.code, "expires_at": format_time(code.expires_at)}
