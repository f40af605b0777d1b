#!/usr/bin/env python3
"""`db`: upgrade, check, back up, restore and fill the database.

These commands work on a database with an old schema, because that is when
they are needed. Only `upgrade`, `restore` and `import-json` change or
create one. `identity` lists and rotates the signing keys, of which only the
ids are shown.
"""

from collections import Counter
from contextlib import closing
from pathlib import Path

import click

from vestibule.accounts.imports import (
    DryRun,
    Importer,
    JSONPairs,
    Outcome,
    Report,
    import_users,
    read_rows,
)
from vestibule.cli.arguments import (
    existing_database,
    refuse_older_schema,
    require_database,
)
from vestibule.cli.commands import CommandError, Interrupted
from vestibule.cli.output import (
    json_option,
    progress_bar,
    show_json,
    show_result,
    show_table,
)
from vestibule.db import backup as copying
from vestibule.db import engine, migrate
from vestibule.db.models.user import User
from vestibule.identity import keys


@click.group()
def db() -> None:
    """Upgrade, check, back up and restore the database."""


@db.command()
@json_option
def upgrade(as_json: bool) -> None:
    """Upgrade the schema to the one of this version."""
    with closing(engine.configured_database()) as database:
        before = migrate.schema(database)
        migrate.upgrade(database)
    text = f"the schema is at revision {before.revision} already"
    if not before.is_current:
        text = (
            f"the schema went from {_revision_text(before.revision)}"
            f" to revision {migrate.EXPECTED_REVISION}"
        )
    show_result(
        {"before": before.revision, "revision": migrate.EXPECTED_REVISION},
        text,
        as_json,
    )


@db.command()
@json_option
def check(as_json: bool) -> None:
    """Check the database; exit with 1 if it is not usable."""
    with existing_database() as database:
        found, address = migrate.schema(database), migrate.address(database)
        lines = [
            f"database: {address}",
            f"schema: {_revision_text(found.revision)},"
            f" this version works with revision {migrate.EXPECTED_REVISION}",
        ]
        if not as_json:
            click.echo("\n".join(lines))
        faults = list(migrate.integrity_errors(database))
        result = {
            "database": address,
            "revision": found.revision,
            "expected": migrate.EXPECTED_REVISION,
            "faults": faults,
        }
        if as_json or database.is_sqlite:
            text = f"integrity: {'; '.join(faults) or 'ok'}"
            show_result(result, text, as_json)
    if faults:
        raise CommandError("the database file is damaged: restore a backup")
    if not found.is_current:
        raise CommandError(migrate.mismatch_message(found.revision))


@db.command()
@click.argument("file", type=click.Path(path_type=Path))
@json_option
def backup(file: Path, as_json: bool) -> None:
    """Write a copy of the database to the new FILE.

    The service can run meanwhile. From SQLite it is a database file, from
    PostgreSQL the SQL that pg_dump writes and psql restores.
    """
    with existing_database() as database, progress_bar("copying") as bar:
        copying.back_up(database, file, bar.update)
    show_result({"file": str(file)}, f"wrote {file}", as_json)


@db.command()
@click.argument(
    "file", type=click.Path(exists=True, dir_okay=False, path_type=Path)
)
@json_option
def restore(file: Path, as_json: bool) -> None:
    """Replace the SQLite database by FILE, a backup.

    The service must be stopped. Nothing of the old database is left, and
    FILE is not changed.
    """
    with closing(engine.configured_database()) as database:
        revision = copying.restore(database, file)
    name = database.url.database
    show_result(
        {"database": name, "file": str(file), "revision": revision},
        f"restored {name} from {file}; the schema is at revision {revision}",
        as_json,
    )


@db.command("import-json")
@click.argument(
    "file", type=click.Path(exists=True, dir_okay=False, path_type=Path)
)
@click.option("--dry-run", is_flag=True, help="Report, but write nothing.")
@json_option
def import_json(file: Path, dry_run: bool, as_json: bool) -> None:
    """Import the users of FILE, a .db_User.json.

    They keep their ids, dates and passwords. Rows that cannot be imported
    are named, and the exit code is 1. Users that are stored already are not
    changed.
    """
    refuse_older_schema()
    rows = read_rows(file.read_bytes())
    counts: Counter[Outcome] = Counter()
    try:
        _import(rows, _dry_run() if dry_run else User.insert, counts)
    except KeyboardInterrupt:
        raise Interrupted("the same command imports the others") from None
    finally:
        # Also after Ctrl-C: what was imported stays.
        prefix = "dry run, nothing was written: " if dry_run else ""
        done = (f"{counts[outcome]} {outcome.value}" for outcome in Outcome)
        result = {each.name.lower(): counts[each] for each in Outcome}
        show_result(
            {"dry_run": dry_run, **result}, prefix + ", ".join(done), as_json
        )
    if counts[Outcome.BAD]:
        raise CommandError("some rows are bad; the others are not affected")


def _import(
    rows: JSONPairs, importer: Importer, counts: Counter[Outcome]
) -> None:
    """Import the `rows`, count them, and name those not imported."""
    with progress_bar("importing", len(rows)) as bar:
        for report in import_users(rows, importer):
            counts[report.outcome] += 1
            if report.outcome is not Outcome.IMPORTED:
                bar.print(_report_line(report))
            bar.advance()


def _report_line(report: Report) -> str:
    """Return the line that names a row that was not imported."""
    line = f"{report.key or '(empty key)'}: {report.outcome.value}"
    return f"{line}: {report.why}" if report.why else line


def _dry_run() -> DryRun:
    """Return the importer of a dry run.

    It must not create a missing file or schema, as the first use of an
    SQLite database does.
    """
    with closing(engine.configured_database()) as database:
        return DryRun(is_empty=migrate.revision(database) is None)


def _revision_text(revision: str | None) -> str:
    """Return a revision as a line shows it; None means no schema."""
    return "no schema" if revision is None else f"revision {revision}"


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
@json_option
def rotate(at_once: bool, as_json: bool) -> None:
    """Make a new key; it signs once applications had time to fetch it."""
    refuse_older_schema()
    key_id = keys.rotate(at_once)
    show_result({"id": key_id}, key_id, as_json)
