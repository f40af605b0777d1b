#!/usr/bin/env python3
"""The schema: migrations and tables agree; unknown versions are refused."""

from datetime import datetime, timedelta, timezone
from typing import Any

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import text
from sqlalchemy.engine import make_url

from tests.backends import PostgreSQL
from vestibule.core.errors import (
    DatabaseUnavailable,
    SchemaMismatch,
    ServiceBusy,
)
from vestibule.db import engine, migrate
from vestibule.db.column_types import METADATA, UTCMoment, as_utc, parse_moment
from vestibule.db.drivers import (
    FIRST_SAFE_WAL_VERSION,
    create_private_file,
    journal_mode,
    sqlite_driver,
    translate_error,
)
from vestibule.db.engine import database
from vestibule.db.identity_map import IdentityMap
from vestibule.db.models.user import User
from vestibule.db.tables import REVISION


def test_tables_equal_the_migrations(any_database: str) -> None:
    """Alembic finds no difference: names, columns, types and indexes."""
    with database().connection() as connection, connection.begin():
        name = connection.dialect.name
        context = MigrationContext.configure(
            connection,
            opts={
                "compare_type": True,
                "version_table": migrate.VERSION_TABLE,
                # The indexes of trigrams: the tables of FTS5, and one that
                # PostgreSQL has only with an extension.
                "include_object": lambda each, called, *_: (
                    each.info.get("only_on", name) == name
                    and not str(called).startswith("user_search")
                    and called != "users_search_text"
                ),
            },
        )
        assert compare_metadata(context, METADATA) == []


def test_revision_is_the_newest_migration() -> None:
    """There is one head, and the tables are of that revision."""
    config = migrate.alembic_config()
    assert ScriptDirectory.from_config(config).get_heads() == [REVISION]


def test_new_file_gets_the_schema_at_first_use() -> None:
    """The first use makes the schema; an upgrade later changes nothing."""
    fresh = engine.configured_database()
    assert migrate.revision(fresh) is None
    User(email="a").save()
    assert migrate.revision(fresh) == REVISION
    migrate.upgrade(fresh)
    migrate.ensure(fresh)
    fresh.close()
    assert User.count() == 1


def test_new_server_database_needs_an_upgrade(
    postgresql: PostgreSQL, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The error names the command; after it the database can be used."""
    monkeypatch.setenv("DATABASE_URL", postgresql.fresh_url())
    with pytest.raises(SchemaMismatch, match="python -m vestibule db upgrade"):
        User.count()
    fresh = engine.configured_database()
    migrate.upgrade(fresh)
    fresh.close()
    assert User.count() == 0


def test_newer_schema_is_refused(any_database: str) -> None:
    """Neither a use nor an upgrade changes it."""
    User(email="a").save()
    with database().transaction() as connection:
        connection.execute(
            text("UPDATE vestibule_version SET version_num = '9999'")
        )
    engine.close()
    for _ in range(2):
        with pytest.raises(SchemaMismatch):
            User.count()
    fresh = engine.configured_database()
    with pytest.raises(SchemaMismatch, match="newer version"):
        migrate.upgrade(fresh)
    assert migrate.revision(fresh) == "9999"
    assert len(fresh.fetch_all(text("SELECT * FROM users"))) == 1
    fresh.close()


def test_sqlite_options_are_set() -> None:
    """Durable, patient, without mapped pages, with a sound journal."""
    User().save()
    expected = {
        "journal_mode": journal_mode(
            sqlite_driver().sqlite_version_info
        ).lower(),
        "synchronous": 2,
        "busy_timeout": 5000,
        "mmap_size": 0,
    }
    for pragma, value in expected.items():
        found = database().fetch_all(text(f"PRAGMA {pragma}"))
        assert [row[0] for row in found] == [value], pragma


@pytest.mark.parametrize(
    ("version", "mode"),
    [
        ((3, 40, 1), "TRUNCATE"),
        ((3, 51, 2), "TRUNCATE"),
        ((3, 51, 3), "WAL"),
        ((3, 53, 4), "WAL"),
        ((4, 0, 0), "WAL"),
    ],
)
def test_unsound_sqlite_versions_use_no_wal(
    version: tuple[int, ...], mode: str
) -> None:
    """What may corrupt a write-ahead log gets another journal."""
    assert journal_mode(version) == mode


def test_without_pysqlite_the_standard_library_is_used(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """There are platforms that have no wheel of it."""
    import sqlite3
    import sys

    assert sqlite_driver().sqlite_version_info >= FIRST_SAFE_WAL_VERSION
    monkeypatch.setitem(sys.modules, "pysqlite3", None)
    monkeypatch.setitem(sys.modules, "pysqlite3.dbapi2", None)
    assert sqlite_driver() is sqlite3
    user = User(email="a")
    user.save()
    assert User.search({"email": "A"}) == [user]


def test_file_that_cannot_be_made_is_reported_on_open() -> None:
    """Preparing the file raises nothing; opening it does."""
    create_private_file("/nowhere/at/all.db")


UTC_MOMENT = datetime(2026, 3, 29, 2, 30, 0, 7, tzinfo=timezone.utc)


@pytest.mark.parametrize(
    "value",
    [
        UTC_MOMENT,
        UTC_MOMENT.replace(tzinfo=None),
        UTC_MOMENT.astimezone(timezone(timedelta(hours=-3))),
        "2026-03-29 02:30:00.000007+00:00",
    ],
    ids=str,
)
def test_column_returns_moments_in_utc(value: Any) -> None:
    """Every form that a driver returns becomes the same moment."""
    assert parse_moment(value) == UTC_MOMENT
    assert parse_moment(value).tzinfo is timezone.utc


def test_moment_is_text_for_sqlite_and_a_date_for_postgresql() -> None:
    """SQLite gets text that sorts as time does, PostgreSQL the moment."""
    kind = UTCMoment()
    lite, server = (
        make_url(url).get_dialect()()
        for url in ("sqlite://", "postgresql+psycopg://")
    )
    assert kind.process_bind_param(UTC_MOMENT, lite) == (
        "2026-03-29 02:30:00.000007+00:00"
    )
    assert kind.process_bind_param(UTC_MOMENT, server) is UTC_MOMENT
    for dialect in (lite, server):
        assert kind.process_bind_param(None, dialect) is None
        assert kind.process_result_value(None, dialect) is None
    texts = [
        kind.process_bind_param(as_utc(moment), lite)
        for moment in [
            datetime.min,
            datetime(999, 12, 31),
            UTC_MOMENT,
            UTC_MOMENT + timedelta(0, 0, 1),
            datetime.max,
        ]
    ]
    assert texts == sorted(texts)
    assert {len(text) for text in texts} == {32}
    elsewhere = UTC_MOMENT.astimezone(timezone(timedelta(hours=-3)))
    assert kind.process_bind_param(elsewhere, lite) == texts[2]


def test_identity_map_is_empty_outside_its_block() -> None:
    """What was seen inside is forgotten outside, also after a failure."""
    user = User()
    IdentityMap.put(User, user.id, user)
    assert IdentityMap.get(User, user.id) is None
    with pytest.raises(KeyError), IdentityMap():
        assert IdentityMap.get(User, user.id) is None
        IdentityMap.put(User, user.id, user)
        assert IdentityMap.get(User, user.id) is user
        with IdentityMap():
            assert IdentityMap.get(User, user.id) is user
        assert IdentityMap.get(User, user.id) is user
        raise KeyError
    assert IdentityMap.get(User, user.id) is None


@pytest.mark.parametrize(
    ("message", "state", "kind"),
    [
        ("database is locked", None, ServiceBusy),
        ("database table is locked", None, ServiceBusy),
        ("canceling statement", "55P03", ServiceBusy),
        ("deadlock", "40P01", ServiceBusy),
        ("too many", "53300", ServiceBusy),
        ("disk full", "53100", DatabaseUnavailable),
        ("disk I/O error", None, DatabaseUnavailable),
        ("no\nsuch   table", None, DatabaseUnavailable),
    ],
)
def test_driver_errors_become_our_errors(
    message: str, state: str | None, kind: type[Exception]
) -> None:
    """Passing ones are worth another try; messages are on one line."""

    class Failure(Exception):
        """An error of a driver."""

        sqlstate = state

    error = translate_error(Failure(message))
    assert type(error) is kind
    assert " ".join(message.split()) in str(error)
    assert "\n" not in str(error)
