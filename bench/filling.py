#!/usr/bin/env python3
"""Fills a database with users and sessions, many at a time.

`python -m bench.filling N AGE` stores `N` sessions in the database that the
settings name, most of them begun `AGE` seconds ago, and prints some of them
as JSON: those that requests use.
"""

import json
import os
import subprocess
import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import timedelta
from itertools import chain, islice
from typing import Any, NamedTuple

from sqlalchemy import Connection, Table, insert

from tests.serving import ROOT
from vestibule.core import clock, passwords
from vestibule.core.crypto import digest_of
from vestibule.core.text import email_key
from vestibule.db import engine, migrate
from vestibule.db.column_types import UTCMoment
from vestibule.db.tables import USER_SESSIONS, USERS
from vestibule.sessions.session import new_session_id

#: The password of every user. One hash serves all: checking it costs the
#: same whatever its salt.
PASSWORD = "correct horse"
#: The end of every user's address.
DOMAIN = "@example.com"
#: Sessions that requests use, spread evenly over all stored ones.
KNOWN = 1_000
SESSIONS_PER_USER = 10
BATCH = 10_000


class Known(NamedTuple):
    """A stored session that requests can use, and its user's email."""

    session_id: str
    email: str


def id_of(number: int) -> str:
    """Return the id of a user or a session, in the form of a UUID."""
    return f"00000000-0000-4000-8000-{number:012x}"


def email_of(number: int) -> str:
    """Return the address of a user, all of them of one length."""
    return f"user{number:07d}{DOMAIN}"


def users(count: int, now: Any) -> Iterator[dict[str, Any]]:
    """Yield the rows of `count` users."""
    hashed = passwords.hash_password(PASSWORD)
    for number in range(count):
        yield {
            "id": id_of(number),
            "created_at": now,
            "updated_at": now,
            "email": email_of(number),
            "email_key": email_key(email_of(number)),
            "password": hashed,
            "first_name": "Ada",
            "last_name": "Lovelace",
        }


def sessions(
    count: int, now: Any, then: Any, known: list[Known]
) -> Iterator[dict[str, Any]]:
    """Yield the rows of `count` sessions; add those to use to `known`.

    The other sessions get random digests and begin `then`: no request uses
    them.
    """
    owners = owners_of(count)
    for number in range(count):
        digest, began = os.urandom(32).hex(), then
        if number % max(1, count // KNOWN) == 0:
            session_id = new_session_id()
            known.append(Known(session_id, email_of(number % owners)))
            digest, began = digest_of(session_id), now
        yield {
            "id": id_of(number),
            "created_at": began,
            "updated_at": began,
            "last_seen_at": began,
            "user_id": id_of(number % owners),
            "session_digest": digest,
        }


def owners_of(count: int) -> int:
    """Return how many users `count` sessions belong to."""
    return max(1, count // SESSIONS_PER_USER)


@contextmanager
def bare_table(connection: Connection, table: Table) -> Iterator[None]:
    """Drop the indexes of a table for a block, and SQLite's triggers.

    A digest falls at a random place of its index; sorted at the end, a
    million of them take a third of the time. A trigger that looks for the
    row that a new one replaces would scan the table without its index.
    """
    triggers: Sequence[Any] = []
    if connection.dialect.name == "sqlite":
        triggers = connection.exec_driver_sql(
            "SELECT name, sql FROM sqlite_schema"
            " WHERE type = 'trigger' AND tbl_name = ?",
            (table.name,),
        ).all()
    for name, _ in triggers:
        connection.exec_driver_sql(f"DROP TRIGGER {name}")
    for index in table.indexes:
        index.drop(connection)
    yield
    for index in table.indexes:
        index.create(connection)
    for _, statement in triggers:
        connection.exec_driver_sql(statement)


def store(
    connection: Connection, table: Table, rows: Iterable[dict[str, Any]]
) -> None:
    """Insert all `rows` into `table`."""
    source = iter(rows)
    first = next(source)
    text = str(
        insert(table).compile(connection.engine, column_keys=list(first))
    )
    source = chain([first], source)
    with bare_table(connection, table):
        while batch := list(islice(source, BATCH)):
            connection.exec_driver_sql(text, batch)


def fill(count: int, age: int) -> list[Known]:
    """Store `count` sessions and their users; return some sessions.

    All others began `age` seconds ago.
    """
    fresh = engine.configured_database()
    migrate.upgrade(fresh)
    known: list[Known] = []
    now, then = (
        UTCMoment().process_bind_param(moment, fresh.engine.dialect)
        for moment in (clock.now(), clock.now() - timedelta(seconds=age))
    )
    with fresh.transaction() as connection:
        store(connection, USERS, users(owners_of(count), now))
        store(connection, USER_SESSIONS, sessions(count, now, then, known))
        if not fresh.is_sqlite:
            # As autovacuum does some time after rows have come.
            connection.exec_driver_sql("ANALYZE")
    fresh.close()
    return known


def filled_apart(env: dict[str, str], count: int, age: int = 0) -> list[Known]:
    """Fill the database of a server's `env`, in a process of its own."""
    done = subprocess.run(
        [sys.executable, "-m", "bench.filling", str(count), str(age)],
        cwd=ROOT,
        env=env,
        check=True,
        stdout=subprocess.PIPE,
        text=True,
        timeout=150,
    )
    return [Known(*pair) for pair in json.loads(done.stdout)]


if __name__ == "__main__":
    print(json.dumps(fill(int(sys.argv[1]), int(sys.argv[2]))))
