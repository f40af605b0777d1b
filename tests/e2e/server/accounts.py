#!/usr/bin/env python3
"""Users stored directly in a server's database, without a request."""

import uuid
from functools import cache
from typing import NamedTuple

from vestibule.core import clock, passwords
from vestibule.db.models.user import User
from vestibule.db.models.user_session import UserSession

PASSWORD = "correct horse"


class Account(NamedTuple):
    """A stored user with one open session."""

    user: User
    session_id: str

    @property
    def id(self) -> str:
        """Return the user's id."""
        return self.user.id

    @property
    def email(self) -> str:
        """Return the user's email."""
        return str(self.user.email)


@cache
def _hash() -> str:
    """Return one hash of the password for all users: hashing is slow."""
    return passwords.hash_password(PASSWORD)


def add_user(role: str = "member") -> User:
    """Store a user with this role and the password, and no session."""
    user = User(email=f"{uuid.uuid4().hex}@example.com")
    user.set_hash(_hash())
    user.role = role
    user.save()
    return user


def account(role: str = "member") -> Account:
    """Store a user with this role, a password and a session."""
    user = add_user(role)
    return Account(user, open_session(user))


def open_session(user: User) -> str:
    """Store a session that the user has just opened; return its id."""
    session_id = str(uuid.uuid4())
    UserSession(
        user_id=user.id,
        session_id=session_id,
        authenticated_at=clock.now(),
        method="login",
    ).save()
    return session_id


def handle_of(session_id: str) -> str:
    """Return the public handle of a session."""
    (session,) = UserSession.search({"session_id": session_id})
    return session.id
