#!/usr/bin/env python3
"""The service's tables in a schema of their own, beside an application's."""

import re
from pathlib import Path

import psycopg
import pytest
from sqlalchemy import text

from tests.backends import PgBouncer, PostgreSQL
from tests.conftest import SCHEMA
from tests.serving import ROOT
from tests.threads import at_once
from vestibule.core.errors import ConfigurationError, SchemaMismatch
from vestibule.db import backup, engine, migrate
from vestibule.db.column_types import METADATA
from vestibule.db.engine import database
from vestibule.db.models.user import User
from vestibule.db.tables import REVISION

pytestmark = pytest.mark.slow


def connect(url: str) -> psycopg.Connection[tuple[object, ...]]:
    """Connect as the application does, with its own `search_path`."""
    return psycopg.connect(
        url.replace("+psycopg", "").replace("postgresql:", "postgres:"),
        autocommit=True,
    )


def tables_of(url: str, schema: str) -> set[str]:
    """Return the names of the tables in a schema."""
    with connect(url) as connection:
        rows = connection.execute(
            "SELECT tablename FROM pg_tables WHERE schemaname = %s", [schema]
        ).fetchall()
    return {str(name) for (name,) in rows}


@pytest.fixture(params=["schema", "pooled_schema"])
def address(request: pytest.FixtureRequest) -> str:
    """Run the test in a schema, directly and behind a pooler."""
    url: str = request.getfixturevalue(f"on_{request.param}")
    return url


def test_tables_are_in_the_schema_only(on_schema: str) -> None:
    """The migrations leave the application's tables as they were."""
    ours = {
        table.name
        for table in METADATA.sorted_tables
        if table.info.get("only_on") != "sqlite"
    }
    assert tables_of(on_schema, SCHEMA) == ours | {migrate.VERSION_TABLE}
    theirs = {"users", "user_sessions", "events", migrate.VERSION_TABLE}
    assert tables_of(on_schema, "public") == theirs


def test_application_keeps_its_rows(on_schema: str, address: str) -> None:
    """Writes and searches are in the service's table of the same name."""
    user = User(email="amy@example.com")
    user.save()
    assert User.search({"email": "AMY@example.com"}) == [user]
    assert User.count() == 1
    with connect(on_schema) as connection:
        (theirs,) = connection.execute("SELECT count(*) FROM users").fetchall()
    assert theirs == (0,)
    user.remove()
    assert User.get(user.id) is None


def test_pooled_connections_of_others_change_no_read(
    on_pooled_schema: str,
) -> None:
    """A pooler lends connections on which another program set a path."""
    user = User(email="amy@example.com")
    user.save()
    spoilers = [connect(on_pooled_schema) for _ in range(6)]
    try:
        for each in spoilers:
            each.execute("SET search_path = public")

        def read(_: int) -> bool:
            """Read with and without SQLAlchemy's conversions."""
            found = database().fetch_all(text("SHOW search_path"))
            return User.get(user.id) == user and found[0][0] == SCHEMA

        assert all(at_once(40, read))
    finally:
        for each in spoilers:
            each.close()


def test_read_leaves_no_transaction_open(on_pooled_schema: str) -> None:
    """A connection goes back to the pooler after each read."""
    User.count()
    with database().connection() as connection:
        driver = connection.connection.driver_connection
        assert driver is not None
        status = driver.info.transaction_status
    assert status == psycopg.pq.TransactionStatus.IDLE


def test_failed_read_does_not_spoil_the_next(on_pooled_schema: str) -> None:
    """The connection of the failed transaction is not used again."""
    for _ in range(3):
        with pytest.raises(Exception, match="nothing"):
            database().fetch_all(text("SELECT nothing"))
        assert User.count() == 0


def test_upgrade_creates_the_schema(
    postgresql: PostgreSQL,
    pgbouncer: PgBouncer,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Directly and behind a pooler; without it the start is refused."""
    for through in (str, pgbouncer.url):
        direct = postgresql.fresh_url()
        pooler = "none" if through is str else "transaction"
        monkeypatch.setenv("DATABASE_POOLER", pooler)
        monkeypatch.setenv("DATABASE_URL", through(direct))
        monkeypatch.setenv("DATABASE_SCHEMA", "own_schema")
        with pytest.raises(SchemaMismatch, match="db upgrade"):
            database()
        fresh = engine.configured_database()
        migrate.upgrade(fresh)
        migrate.upgrade(fresh)
        assert migrate.revision(fresh) == REVISION
        fresh.dispose()
        assert not tables_of(direct, "public")
        assert "users" in tables_of(direct, "own_schema")
        engine.close()


def test_upgrade_needs_no_right_to_create_a_schema_that_exists(
    postgresql: PostgreSQL, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An operator may make the schema, and let the role use it only."""
    url = postgresql.fresh_url()
    with connect(url) as connection:
        connection.execute("DROP ROLE IF EXISTS limited_role")
        connection.execute("CREATE ROLE limited_role LOGIN")
        connection.execute("CREATE SCHEMA made AUTHORIZATION limited_role")
    monkeypatch.setenv(
        "DATABASE_URL", url.replace("vestibule@", "limited_role@")
    )
    monkeypatch.setenv("DATABASE_SCHEMA", "made")
    migrate.upgrade(engine.configured_database())
    User(email="amy@example.com").save()
    assert "users" in tables_of(url, "made")


@pytest.mark.parametrize(
    "name", ["pg_own", "Own", "1a", "a-b", "a;b", 'a"b', "a b", "a" * 64, "é"]
)
def test_name_that_needs_quotes_is_refused(
    on_postgresql: str, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    """The name is a part of SQL and of a connection's options."""
    monkeypatch.setenv("DATABASE_SCHEMA", name)
    with pytest.raises(ConfigurationError, match="DATABASE_SCHEMA"):
        database()


def test_sqlite_has_no_schema(monkeypatch: pytest.MonkeyPatch) -> None:
    """The setting is not ignored where it cannot count."""
    monkeypatch.setenv("DATABASE_SCHEMA", SCHEMA)
    with pytest.raises(ConfigurationError, match="needs PostgreSQL"):
        database()


def test_backup_has_the_schema_only(on_schema: str, tmp_path: Path) -> None:
    """A restore does not bring back an application's old rows."""
    User(email="amy@example.com").save()
    file = tmp_path / "backup.sql"
    backup.back_up(database(), file)
    dump = file.read_text()
    assert f"CREATE TABLE {SCHEMA}.users" in dump
    assert "amy@example.com" in dump
    assert "theirs" not in dump


def test_documented_foreign_key(on_schema: str) -> None:
    """The page's SQL works for a role that may do nothing else there."""
    page = (ROOT / "docs/application-data.md").read_text()
    rights, table = re.findall(r"```sql\n(.*?)```", page, re.DOTALL)
    user = User(email="amy@example.com")
    user.save()
    with connect(on_schema) as connection:
        connection.execute("DROP ROLE IF EXISTS app")
        connection.execute("CREATE ROLE app LOGIN")
        connection.execute("GRANT CREATE ON SCHEMA public TO app")
        connection.execute(rights.encode())
    mine = on_schema.replace("vestibule@", "app@")
    add = b"INSERT INTO notes (owner, body) VALUES (%s, 'text')"
    with connect(mine) as connection:
        connection.execute(table.encode())
        connection.execute(add, [user.id])
        with pytest.raises(psycopg.errors.ForeignKeyViolation):
            connection.execute(add, ["unknown"])
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            connection.execute(f"SELECT * FROM {SCHEMA}.users".encode())
        user.remove()
        left = connection.execute("SELECT count(*) FROM notes").fetchall()
    assert left == [(0,)]
    with connect(on_schema) as connection:
        connection.execute("DROP OWNED BY app")
        connection.execute("DROP ROLE app")


def test_foreign_key_of_an_application(on_schema: str) -> None:
    """The rows of an application go or stay with the user, as it says."""
    user = User(email="amy@example.com")
    user.save()
    with connect(on_schema) as connection:
        for action, table in (("CASCADE", "notes"), ("SET NULL", "posts")):
            connection.execute(
                f"CREATE TABLE {table} (owner text REFERENCES"
                f" {SCHEMA}.users (id) ON DELETE {action})".encode()
            )
            connection.execute(
                f"INSERT INTO {table} VALUES (%s)".encode(), [user.id]
            )
        with pytest.raises(psycopg.errors.ForeignKeyViolation):
            connection.execute("INSERT INTO notes VALUES ('unknown')")
        user.remove()
        notes = connection.execute("SELECT owner FROM notes").fetchall()
        posts = connection.execute("SELECT owner FROM posts").fetchall()
    assert (notes, posts) == ([], [(None,)])
