#!/usr/bin/env python3
"""Makes many users, sessions and events, for the admin pages to show.

`python -m bench.admin_rows USERS EVENTS` fills the configured database and
prints the session id of an admin.
"""

import sys
from collections.abc import Callable, Iterable, Iterator
from datetime import datetime, timedelta
from functools import partial
from itertools import islice
from typing import Any

from sqlalchemy import Connection, Table, insert

from bench.filling import bare_table, id_of
from vestibule.core import clock
from vestibule.core.crypto import digest_of
from vestibule.core.text import search_text, without_accents
from vestibule.db import engine, migrate
from vestibule.db.column_types import UTCMoment
from vestibule.db.hourly_counts import EPOCH, hour_of
from vestibule.db.tables import EVENTS, HOURLY, USER_SESSIONS, USERS
from vestibule.sessions.session import new_session_id

#: Events and hours are spread over so many days.
DAYS = 90
BATCH = 50_000
#: Of so many events one is a login of this user, who does nothing else.
ROBOTIC, ROBOT = 10, 8
FIRST = ("Ada", "Bob", "Chloé", "Dora", "Émile", "Fay", "Gus", "Hal", "Ivo")
#: Sessions began in so many hours, fewer than `SESSION_DURATION` has.
SESSION_HOURS = 10
AGENT = "Mozilla/5.0 (X11; Linux x86_64) Firefox/128.0"
#: Three of ten events are exported in the smaller file, a million of the
#: larger one.
KINDS = (
    "login_failed",
    "login",
    "logout",
    "login",
    "logout",
    "login",
    "logout",
    "session_revoked",
    "reauthenticated",
    "throttled",
)


def users_of(count: int, now: str) -> Iterator[tuple[Any, ...]]:
    """Yield the rows of users; the first one is an admin."""
    for number in range(count):
        first = FIRST[number % len(FIRST)]
        email = f"user{number:07d}@example.com"
        yield (
            id_of(number),
            now,
            now,
            email,
            email,
            first,
            f"Nr {number}",
            without_accents(first),
            f"nr {number}",
            search_text(email, first, f"Nr {number}"),
            "member" if number else "admin",
            None if number % 3 else now,
            now if number % 7 == 1 else None,
        )


_USER = (
    "id",
    "created_at",
    "updated_at",
    "email",
    "email_key",
    "first_name",
    "last_name",
    "first_key",
    "last_key",
    "search_text",
    "role",
    "signed_in_at",
    "disabled_at",
)


def events_of(
    count: int, users: int, until: datetime
) -> Iterator[tuple[Any, ...]]:
    """Yield the rows of events, spread over the days before.

    A tenth of them are logins of a robot, from a network of its own.
    """
    step = timedelta(days=DAYS) / count // timedelta(microseconds=1)
    first = (until - EPOCH) // timedelta(microseconds=1) - step * count
    for number in range(count):
        ip = f"10.{number % 200}.{number % 250}.7"
        kind, user = KINDS[number % len(KINDS)], number % users
        if number % ROBOTIC == 1:
            ip, kind, user = "10.9.9.9", "login", ROBOT
        elif user == ROBOT:
            user += 1
        yield (
            (first + number * step) * 256,
            kind,
            id_of(user),
            ip,
            f"{ip}/32",
            AGENT,
            1,
        )


_EVENT = ("id", "kind", "user_id", "ip", "network", "user_agent", "times")

#: What the triggers would have done for each user.
_SEARCH = (
    "INSERT INTO user_numbers (user_id) SELECT id FROM users ORDER BY id",
    "INSERT INTO user_search (rowid, search_text) SELECT number, search_text"
    " FROM user_numbers JOIN users ON users.id = user_id",
)


def store(
    connection: Connection,
    table: Table,
    names: tuple[str, ...],
    rows: Iterable[tuple[Any, ...]],
) -> None:
    """Insert rows without indexes and triggers."""
    marks = ", ".join("?" * len(names))
    quoted = ", ".join(f'"{name}"' for name in names)
    text = f"INSERT INTO {table.name} ({quoted}) VALUES ({marks})"
    driver = connection.connection.cursor()
    source = iter(rows)
    with bare_table(connection, table):
        while batch := list(islice(source, BATCH)):
            driver.executemany(text, batch)


def sessions_of(
    users: int, now: datetime, session_id: str, stored: Callable[..., Any]
) -> Iterator[tuple[Any, ...]]:
    """Yield a session row for each user; the first has `session_id`.

    They began in the last hours; `stored` returns a time as it is stored.
    Their order by user, network, begin and last use is a different one each.
    """
    step = timedelta(hours=SESSION_HOURS) / users
    for number in range(users):
        began = now - step * number
        ip = f"10.{number * 7 % 250}.{number * 31 % 250}.{number % 9}"
        yield (
            id_of(number),
            stored(began),
            stored(began),
            id_of(number * 7919 % users),
            digest_of(session_id) if not number else None,
            stored(began),
            stored(began + step * (number * 104_729 % (number + 1))),
            ip,
            f"{ip}/32",
            AGENT,
        )


def fill(users: int, happened: int) -> str:
    """Fill an SQLite file; return the session id of an admin."""
    fresh = engine.configured_database()
    migrate.upgrade(fresh)
    now, session_id = clock.now(), new_session_id()
    stored = partial(
        UTCMoment().process_bind_param, dialect=fresh.engine.dialect
    )
    text = stored(now)
    for pragma in (
        "journal_mode = OFF",
        "synchronous = OFF",
        "cache_size = -400000",
        "temp_store = MEMORY",
    ):
        # If this breaks off, the next run fills a new file.
        with fresh.connection() as opened:
            opened.exec_driver_sql(f"PRAGMA {pragma}")
    with fresh.transaction() as connection:
        store(connection, USERS, _USER, users_of(users, text))
        for statement in _SEARCH:
            connection.exec_driver_sql(statement)
        store(
            connection,
            USER_SESSIONS,
            (
                "id",
                "created_at",
                "updated_at",
                "user_id",
                "session_digest",
                "authenticated_at",
                "last_seen_at",
                "ip",
                "network",
                "user_agent",
            ),
            sessions_of(users, now, session_id, stored),
        )
        store(connection, EVENTS, _EVENT, events_of(happened, users, now))
        connection.execute(
            insert(HOURLY),
            [
                {"hour": hour_of(now) - ago, "name": name, "amount": 7}
                for ago in range(DAYS * 24)
                for name in (*set(KINDS), "sessions", "hashes", "hashing")
            ],
        )
    fresh.close()
    return session_id


if __name__ == "__main__":
    print(fill(int(sys.argv[1]), int(sys.argv[2])))
