#!/usr/bin/env python3
"""The engine: reused and lost connections, and invalid addresses."""

import os
import stat
import threading
from pathlib import Path

import pytest
from sqlalchemy import Connection, text
from sqlalchemy.exc import IntegrityError

from tests.backends import PostgreSQL
from tests.ports import free_port
from tests.threads import at_once
from vestibule.core.errors import (
    ConfigurationError,
    DatabaseUnavailable,
)
from vestibule.db import engine
from vestibule.db.drivers import READ_CACHE_KIB, WRITE_CACHE_KIB
from vestibule.db.engine import database
from vestibule.db.models.user import User


def _file() -> str:
    """Return the path of this test's SQLite file."""
    return os.environ["DATABASE_URL"].removeprefix("sqlite:///")


def test_connection_is_reused_by_any_thread(
    any_database: str,
) -> None:
    """The same one is lent for reads and writes, in any thread."""
    User().save()
    with database().connection() as mine:
        assert User.get("x") is None
    assert User.count() == 1
    User().save()
    for _ in range(2):
        with database().connection() as again:
            assert again is mine
        (other,) = at_once(1, lambda _: _lent(), closing=False)
        assert other is mine


def _lent() -> Connection:
    """Return the connection that this thread borrows for a moment."""
    with database().connection() as connection:
        return connection


def test_concurrent_threads_have_separate_connections(
    any_database: str,
) -> None:
    """There are as many as threads use one together, and no more after."""
    User().save()
    together = threading.Barrier(4)

    def use(_: int) -> Connection:
        """Hold a connection while all others hold one."""
        with database().connection() as connection:
            together.wait(30)
        return connection

    held = at_once(4, use, closing=False)
    assert len({id(each) for each in held}) == 4
    again = at_once(4, use, closing=False)
    assert {id(each) for each in again} == {id(each) for each in held}


def test_thread_keeps_no_connection(
    any_database: str,
) -> None:
    """A thread that ends has no connection to close."""
    user = User()
    with pytest.raises(KeyError), database().transaction():
        raise KeyError
    for use in (user.save, User.count, lambda: User.get(user.id)):
        use()
        assert list(database()._pool._local.__dict__.values()) == [None]


def test_connection_in_use_is_closed_after_close(
    any_database: str,
) -> None:
    """Closing reaches the connections in use when their use ends."""
    with database().connection() as connection:
        engine.close()
        assert not connection.closed
    assert connection.closed


def test_settings_are_read_again_after_close(
    any_database: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """The next use opens what the settings name then."""
    User().save()
    before = database()
    engine.close()
    engine.close()
    assert User.count() == 1
    assert database() is not before
    engine.close()
    monkeypatch.setenv("DATABASE_URL", f"sqlite:///{tmp_path}/other.db")
    assert User.count() == 0


def test_concurrent_first_uses_create_one_schema(tmp_path: Path) -> None:
    """The schema is made once, by any of the threads."""
    found = at_once(8, lambda _: (User.count(), id(database())))
    assert {count for count, _ in found} == {0}
    assert len({identity for _, identity in found}) == 1


def test_new_file_is_private() -> None:
    """Password hashes are in it: only its owner reads it."""
    User().save()
    for path in Path(_file()).parent.glob("vestibule.db*"):
        assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_restarted_server_is_reconnected(
    on_postgresql: str, postgresql: PostgreSQL
) -> None:
    """The next read, look-up or write works without an error."""
    user = User(first_name="a")
    user.save()
    for number, use in enumerate(
        [
            User.count,
            lambda: User.get(user.id),
            user.save,
            User().save,
            user.remove,
        ]
    ):
        User.get("x")
        postgresql.stop()
        postgresql.start()
        use()
        assert User.count() == (2 if number == 3 else 1)


def test_stopped_server_raises_database_unavailable(
    on_postgresql: str, postgresql: PostgreSQL
) -> None:
    """Each use raises `DatabaseUnavailable`, until the server is there."""
    user = User()
    user.save()
    postgresql.stop()
    try:
        for use in (User.count, lambda: User.get("x"), user.save):
            for _ in range(2):
                with pytest.raises(DatabaseUnavailable):
                    use()
    finally:
        postgresql.start()
    assert User.get(user.id) == user
    user.save()


@pytest.mark.slow
def test_connection_lost_during_a_write_is_rolled_back(
    on_postgresql: str,
) -> None:
    """The write fails and is undone; the next one works."""
    user = User()
    with pytest.raises(DatabaseUnavailable), database().transaction() as mine:
        mine.execute(text("SELECT pg_terminate_backend(pg_backend_pid())"))
    user.save()
    assert User.count() == 1


def _end_backend(connection: Connection) -> None:
    """Let the server end a connection without the client's knowledge."""
    pid = connection.scalar(text("SELECT pg_backend_pid()"))
    with database().engine.connect() as other:
        other.execute(
            text("SELECT pg_terminate_backend(:pid, 30000)"), {"pid": pid}
        )


@pytest.mark.parametrize(
    "error", [KeyboardInterrupt(), IntegrityError("", None, Exception())]
)
def test_connection_lost_before_a_rollback_keeps_the_error(
    on_postgresql: str, error: BaseException
) -> None:
    """The server has rolled back: the first error is raised."""
    user = User()
    user.save()
    with (
        pytest.raises(type(error)),
        database().transaction() as connection,
    ):
        connection.execute(text("DELETE FROM users"))
        _end_backend(connection)
        raise error
    assert User.all() == [user]
    user.save()


def test_forked_child_uses_its_own_connection(
    any_database: str,
) -> None:
    """After a fork both sides go on, each on a connection of its own."""
    user = User(first_name="parent")
    user.save()
    parents = database()
    child = os.fork()
    if child == 0:
        code = 1
        try:
            loaded = User.get(user.id)
            if loaded is not None and database() is not parents:
                loaded.first_name = "child"
                loaded.save()
                code = 0
        finally:
            os._exit(code)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert database() is parents
    loaded = User.get(user.id)
    assert loaded is not None
    assert loaded.first_name == "child"
    user.save()


@pytest.mark.parametrize(
    ("url", "why"),
    [
        ("nonsense", "is not a database URL"),
        ("sqlite://", "SQLite needs a file"),
        ("sqlite:///:memory:", "SQLite needs a file"),
        ("mysql://u:secret@h/n", "not mysql://"),
        ("postgresql+psycopg2://u:secret@h/n", "must begin with"),
        ("sqlite:///x?y.db", "may have no ?"),
        ("sqlite:///x.db?mode=memory", "may have no ?"),
        ("sqlite:///?", "SQLite needs a file"),
        ("sqlite://x.db", "SQLite needs a file"),
        ("sqlite+pysqlite:///x", "must begin with"),
        ("postgresql+psycopg://u:secret@h:port/n", "is not a database URL"),
    ],
)
def test_invalid_database_url_is_refused(
    url: str, why: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The error names the setting, and never the password in it."""
    monkeypatch.setenv("DATABASE_URL", url)
    with pytest.raises(ConfigurationError, match=why) as refused:
        database()
    assert refused.value.name == "DATABASE_URL"
    assert "secret" not in str(refused.value)


def test_file_that_is_no_database_is_refused(tmp_path: Path) -> None:
    """The error says so, and the file stays as it was."""
    Path(_file()).write_bytes(b"no database at all, but a long text" * 100)
    for _ in range(2):
        with pytest.raises(DatabaseUnavailable, match="not a database"):
            User.count()
    assert Path(_file()).read_bytes().startswith(b"no database")


def test_missing_folder_is_an_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """When the folder exists, the next use works."""
    folder = tmp_path / "there"
    monkeypatch.setenv("DATABASE_URL", f"sqlite:///{folder}/a.db")
    with pytest.raises(DatabaseUnavailable, match="unable to open"):
        User.count()
    folder.mkdir()
    assert User.count() == 0


def test_unreachable_server_is_an_error(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The error comes at once and does not show the password."""
    monkeypatch.setenv(
        "DATABASE_URL",
        f"postgresql+psycopg://u:secret@127.0.0.1:{free_port()}/n",
    )
    with pytest.raises(DatabaseUnavailable) as failed:
        User.count()
    assert "secret" not in str(failed.value)


def _cached_kibibytes(connection: Connection) -> int:
    """Return how many KiB of the file a connection may keep."""
    answer = connection.exec_driver_sql("PRAGMA cache_size").scalar_one()
    return -int(answer)


@pytest.mark.usefixtures("on_sqlite")
@pytest.mark.parametrize("is_failing", [False, True])
def test_page_cache_is_large_during_write_transaction_only(
    is_failing: bool,
) -> None:
    """A large one speeds up writes; idle connections must not keep it."""
    User().save()
    try:
        with database().transaction() as connection:
            during = _cached_kibibytes(connection)
            if is_failing:
                raise KeyError
    except KeyError:
        pass
    with database().connection() as connection:
        assert _cached_kibibytes(connection) == READ_CACHE_KIB
    assert during == WRITE_CACHE_KIB
