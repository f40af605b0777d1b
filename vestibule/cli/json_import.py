#!/usr/bin/env python3
"""`db import-json`: take the users of the old JSON store in."""

from collections import Counter
from contextlib import closing
from pathlib import Path

import click

from vestibule.accounts.json_import import (
    DryRun,
    Importer,
    JSONPairs,
    Outcome,
    Report,
    import_users,
    read_rows,
)
from vestibule.cli.commands import CommandError, Interrupted
from vestibule.cli.output import progress_bar
from vestibule.db import engine, health, migrate
from vestibule.db.models.user import User


@click.command("import-json")
@click.argument(
    "file", type=click.Path(exists=True, dir_okay=False, path_type=Path)
)
@click.option("--dry-run", is_flag=True, help="Say it all, write nothing.")
def import_json(file: Path, dry_run: bool) -> None:
    """Import the users of FILE, a .db_User.json.

    They keep their ids, dates and passwords. Rows that cannot be taken
    are named, and the exit code is 1; users who are here already stay as
    they are.
    """
    rows = read_rows(file.read_bytes())
    counts: Counter[Outcome] = Counter()
    try:
        _import(rows, _rehearsal() if dry_run else User.insert, counts)
    except KeyboardInterrupt:
        raise Interrupted("the same command imports the others") from None
    finally:
        # Also when it is interrupted: what went in is in.
        prefix = "dry run, nothing was written: " if dry_run else ""
        done = (f"{counts[outcome]} {outcome.value}" for outcome in Outcome)
        click.echo(prefix + ", ".join(done))
    if counts[Outcome.BAD]:
        raise CommandError("some rows are bad; the others are not affected")


def _import(rows: JSONPairs, door: Importer, counts: Counter[Outcome]) -> None:
    """Import the `rows`, name those that stay out, and count them all."""
    with progress_bar("importing", len(rows)) as shown:
        for report in import_users(rows, door):
            counts[report.outcome] += 1
            if report.outcome is not Outcome.IMPORTED:
                shown.say(_line(report))
            shown.advance()


def _line(report: Report) -> str:
    """Return the line that names a row which did not go in."""
    line = f"{report.key or '(empty key)'}: {report.outcome.value}"
    return f"{line}: {report.why}" if report.why else line


def _rehearsal() -> DryRun:
    """Return the door of a dry run.

    It must not make the file or the schema that is missing, as the first
    use of an SQLite database does.
    """
    with closing(engine.configured_database()) as database:
        found = health.revision(database)
    if found not in (None, health.EXPECTED_REVISION):
        raise CommandError(migrate.mismatch_message(found))
    return DryRun(is_empty=found is None)
