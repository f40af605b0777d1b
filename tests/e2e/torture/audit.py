#!/usr/bin/env python3
"""Comparison of a killed service with what it had acknowledged."""

from collections.abc import Iterable
from http.client import HTTPConnection

from tests.e2e.torture.clients import PASSWORD, Account, Journal, Session
from tests.serving import COOKIE, LOGIN, Server
from vestibule.db import engine
from vestibule.db.models.user import User
from vestibule.db.models.user_session import UserSession


def audit(server: Server, journals: Iterable[Journal]) -> int:
    """Compare the journals with the service; fill in open entries.

    Return how many entries were compared.
    """
    entries = 0
    try:
        audit_database()
        stored = {user.email: user.id for user in User.all()}
        for journal in journals:
            assert journal.wrong == []
            for account in journal.accounts:
                audit_account(server, account, stored)
            audit_sessions(server, journal.sessions)
            entries += len(journal.accounts) + len(journal.sessions)
    finally:
        # An open connection would keep SQLite from recovering next time.
        engine.close()
    return entries


def audit_database() -> None:
    """Check that the file is intact and that each session has its user."""
    if engine.database().is_sqlite:
        found = engine.database().read(
            lambda c: c.exec_driver_sql("PRAGMA integrity_check").scalar()
        )
        assert found == "ok"
    users = {user.id for user in User.all()}
    orphans = [one for one in UserSession.all() if one.user_id not in users]
    assert orphans == []


def audit_account(
    server: Server, account: Account, stored: dict[str | None, str]
) -> None:
    """Check that a user exists, or not, as acknowledged.

    A user without acknowledgement either exists completely and can log in, or
    does not exist.
    """
    user_id = stored.get(account.email)
    if account.there is None:
        account.there = user_id is not None
        account.user_id = account.user_id or user_id or ""
        if account.there:
            answer = server.request(
                "POST",
                LOGIN,
                data={
                    "email": account.email,
                    "password": PASSWORD,
                },
            )
            assert answer.status_code == 200, account
    expected = account.user_id if account.there else None
    assert user_id == expected, account


def audit_sessions(server: Server, sessions: list[Session]) -> None:
    """Check that sessions are valid, or not, as acknowledged.

    A session without acknowledgement may be either, but not valid if its user
    is gone.
    """
    connection = HTTPConnection("127.0.0.1", server.port, timeout=30)
    for session in sessions:
        cookie = {"Cookie": f"{COOKIE}={session.session_id}"}
        connection.request("GET", "/api/v1/users/me", headers=cookie)
        answer = connection.getresponse()
        body = answer.read().decode()
        assert answer.status in (200, 403), (answer.status, session.account)
        opens = answer.status == 200
        if session.there is None:
            session.there = opens
        assert opens == session.there, session.account
        if opens:
            assert session.account.there
            assert f'"{session.account.email}"' in body
    connection.close()
