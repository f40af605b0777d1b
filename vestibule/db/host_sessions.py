#!/usr/bin/env python3
"""The tables host_sessions and host_codes: sessions of applications' hosts.

A session of an application's host hangs on the session that the user began
at the sign-in host, its parent. It is found together with the parent and
never without it, so whatever ends the parent ends it. Its secret id begins
with a mark, so that one query finds either kind.

Only digests of secret ids, codes and states are stored. A code is used
once: its use and the new session are one transaction, which locks the
parent first, as everything that ends a session does.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import NamedTuple

from sqlalchemy import Connection, delete, insert, select

from vestibule.db import session_queries
from vestibule.db.engine import database
from vestibule.db.tables import HOST_CODES, HOST_SESSIONS, USER_SESSIONS

#: How a secret id of an application's host begins; no other id does.
HOST_ID_PREFIX = "host."
#: How long a code may be used.
CODE_LIFETIME = timedelta(seconds=60)
#: Sessions of one host that hang on one parent. Two hand-overs at once
#: leave two of them, and the browser keeps the cookie of one.
MAX_SESSIONS_PER_HOST = 5
#: Codes of one parent that wait for their use; one more is refused.
MAX_CODES_PER_SESSION = 50


class Code(NamedTuple):
    """A code as it is stored, and what it is bound to."""

    digest: str
    host: str
    #: The digest of the cookie of the browser that may use it.
    state: str


def is_host_session_id(session_id: str) -> bool:
    """Return True if this is the secret id of an application's host."""
    return session_id.startswith(HOST_ID_PREFIX)


def add_code(
    code: Code, parent_id: str, return_path: str, now: datetime
) -> bool:
    """Store a code for a session with this handle.

    Return False, and store nothing, if the session has ended or has too
    many codes.
    """
    row = {
        "code_digest": code.digest,
        "parent_id": parent_id,
        "host": code.host,
        "state_digest": code.state,
        "return_path": return_path,
        "created_at": now,
    }
    of_parent = HOST_CODES.c.parent_id == parent_id
    waiting = select(HOST_CODES.c.code_digest).where(of_parent)
    with database().transaction() as connection:
        if not _lock_parent(connection, parent_id):
            return False
        connection.execute(
            delete(HOST_CODES).where(
                of_parent, HOST_CODES.c.created_at <= now - CODE_LIFETIME
            )
        )
        if len(connection.execute(waiting).all()) >= MAX_CODES_PER_SESSION:
            return False
        connection.execute(insert(HOST_CODES).values(row))
    return True


def return_path(digest: str, host: str, now: datetime) -> str | None:
    """Return the path that a code of `host` leads to, if it is valid."""
    found = database().fetch_all(
        select(HOST_CODES.c.return_path).where(
            HOST_CODES.c.code_digest == digest,
            HOST_CODES.c.host == host,
            HOST_CODES.c.created_at > now - CODE_LIFETIME,
        )
    )
    return str(found[0][0]) if found else None


def redeem_code(code: Code, session_digest: str, now: datetime) -> str | None:
    """Use a code up, and store the session of its host.

    Return the path to go on to. `None`, and change nothing, if there is no
    such code for this host and this state, if it is too old or used, or if
    its session has ended.
    """
    is_code = (
        (HOST_CODES.c.code_digest == code.digest)
        & (HOST_CODES.c.host == code.host)
        & (HOST_CODES.c.state_digest == code.state)
        & (HOST_CODES.c.created_at > now - CODE_LIFETIME)
    )
    wanted = select(HOST_CODES.c.parent_id, HOST_CODES.c.return_path)
    with database().transaction() as connection:
        found = connection.execute(wanted.where(is_code)).first()
        if found is None or not _lock_parent(connection, found.parent_id):
            return None
        # Of two requests with the same code, one deletes it.
        if not connection.execute(delete(HOST_CODES).where(is_code)).rowcount:
            return None
        _add_session(connection, session_digest, found.parent_id, code, now)
    path: str = found.return_path
    return path


def delete_by_digest(digest: str, reason: str) -> bool:
    """End the session that an application's session hangs on.

    Return True if there was one. `digest` is of the application's session.
    """
    parent = select(HOST_SESSIONS.c.parent_id).where(
        HOST_SESSIONS.c.session_digest == digest
    )
    with database().transaction() as connection:
        return (
            session_queries.delete_where(
                connection, reason, USER_SESSIONS.c.id.in_(parent)
            )
            > 0
        )


def parent_digest(digest: str) -> str | None:
    """Return the digest of the session that an application's hangs on."""
    found = database().fetch_all(
        select(USER_SESSIONS.c.session_digest)
        .join_from(
            HOST_SESSIONS,
            USER_SESSIONS,
            USER_SESSIONS.c.id == HOST_SESSIONS.c.parent_id,
        )
        .where(HOST_SESSIONS.c.session_digest == digest)
    )
    return found[0][0] if found else None


def hosts_by_parent(handles: Sequence[str]) -> dict[str, list[str]]:
    """Return the hosts that have a session, by the parents' handles.

    The hosts are in alphabetical order; a parent without any is left out.
    """
    columns = HOST_SESSIONS.c.parent_id, HOST_SESSIONS.c.host
    hosts: dict[str, list[str]] = {}
    if handles:
        of_parents = select(*columns).where(columns[0].in_(list(handles)))
        for found in database().fetch_all(
            of_parents.distinct().order_by(*columns)
        ):
            hosts.setdefault(found.parent_id, []).append(found.host)
    return hosts


def purge_codes(now: datetime) -> None:
    """Delete the codes that are too old.

    Rows that another transaction has locked are skipped on PostgreSQL: it
    deletes them itself, and waiting for it could be a deadlock.
    """
    old = HOST_CODES.c.created_at <= now - CODE_LIFETIME
    if not database().fetch_all(select(HOST_CODES.c.host).where(old).limit(1)):
        return
    free = (
        select(HOST_CODES.c.code_digest)
        .where(old)
        .with_for_update(skip_locked=True)
    )
    with database().transaction() as connection:
        connection.execute(
            delete(HOST_CODES).where(HOST_CODES.c.code_digest.in_(free))
        )


def _lock_parent(connection: Connection, parent_id: str) -> bool:
    """Return True if the session exists; it cannot end before the commit.

    Only PostgreSQL needs the lock. It does not wait for others of its kind.
    """
    parent = select(USER_SESSIONS.c.id).where(USER_SESSIONS.c.id == parent_id)
    locked = parent.with_for_update(read=True, key_share=True)
    return connection.execute(locked).first() is not None


def _add_session(
    connection: Connection,
    session_digest: str,
    parent_id: str,
    code: Code,
    now: datetime,
) -> None:
    """Store a session of a host; delete the oldest beyond the limit."""
    table = HOST_SESSIONS.c
    connection.execute(
        insert(HOST_SESSIONS).values(
            session_digest=session_digest,
            parent_id=parent_id,
            host=code.host,
            created_at=now,
        )
    )
    oldest = connection.scalars(
        select(table.session_digest)
        .where(table.parent_id == parent_id, table.host == code.host)
        .order_by(table.created_at.desc(), table.session_digest)
        .offset(MAX_SESSIONS_PER_HOST)
    ).all()
    if oldest:
        connection.execute(
            delete(HOST_SESSIONS).where(table.session_digest.in_(oldest))
        )
