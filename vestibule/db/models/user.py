#!/usr/bin/env python3
"""Users: who may have an account, and what is shown of them."""

from collections.abc import Collection, Sequence
from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    bindparam,
    delete,
    false,
    select,
    update,
)

from vestibule.core import clock, passwords
from vestibule.core.errors import (
    DuplicateEmail,
    InvalidValue,
    VestibuleError,
    WrongPassword,
)
from vestibule.core.text import display_name, name_key
from vestibule.db import session_queries
from vestibule.db.engine import database
from vestibule.db.models.base import Base, is_storable, storable_text
from vestibule.db.tables import RESET_CODES, USERS, parse_moment

_PASSWORD_INDEX = USERS.c.keys().index("password")
#: Columns whose change ends a reset code.
_RESET_CODE_COLUMNS = frozenset({"password", "email_key"})
# PostgreSQL shows the row as it was while a change of it is not committed;
# `FOR SHARE` waits for its end. `FOR KEY SHARE` does not: a hash is no key.
# SQLite has one writer at a time and leaves it out.
_SELECT_COMMITTED = (
    select(USERS)
    .where(USERS.c.id == bindparam("id"))
    .with_for_update(read=True)
)


def email_key(email: str) -> str:
    """Return the form by which emails are compared: one key, one account."""
    return email.strip().casefold()


class Role(StrEnum):
    """What a user is; what that allows, the policy says."""

    MEMBER = "member"
    ADMIN = "admin"


def parse_role(value: Any) -> Role:
    """Return the role that `value` names; raise `InvalidValue` for none.

    Every role that is stored passes here.
    """
    for role in Role:
        if value == role:
            return role
    raise InvalidValue(
        "role", f"must be one of {', '.join(Role)}", code="invalid"
    )


class User(Base):
    """A person or program with an account."""

    _table = USERS
    _public = (*Base._public, "email", "first_name", "last_name")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        """Make a user in memory from `email`, `first_name`, `last_name`."""
        super().__init__(*args, **kwargs)
        self.email = kwargs.get("email")
        self.first_name: str | None = kwargs.get("first_name")
        self.last_name: str | None = kwargs.get("last_name")
        self._password: str | None = None
        #: `member` or `admin`; what these may do, `policy` says.
        self.role: str = Role.MEMBER.value
        #: Since when the user may not come in, or `None`.
        self.disabled_at: datetime | None = None
        #: When the user signed in last, as far as events are kept.
        self.signed_in_at: datetime | None = None

    @classmethod
    def get_committed(cls, id: str) -> "User | None":
        """Return the user as stored, once a change under way has ended.

        The lock lasts as long as the statement, which takes no other: so
        nobody waits for it who has what it waits for.
        """
        row = database().fetch_one(_SELECT_COMMITTED, {"id": id})
        return None if row is None else cls._from_row(row)

    @property
    def email(self) -> str | None:
        """Return the address as it was given, trimmed."""
        return self._email

    @email.setter
    def email(self, value: str | None) -> None:
        """Take the address without the blanks around it."""
        self._email = value.strip() if isinstance(value, str) else value

    @property
    def password(self) -> str | None:
        """Return the stored hash, or `None`; nobody knows the clear text."""
        return self._password

    @password.setter
    def password(self, value: str | None) -> None:
        """Keep a hash of a string; anything else means: no password.

        Raise `InvalidValue` for text that has no UTF-8.
        """
        self._password = (
            passwords.hash_password(value) if isinstance(value, str) else None
        )

    def is_valid_password(self, pwd: Any) -> bool:
        """Tell whether `pwd` is this user's password."""
        if not isinstance(pwd, str):
            return False
        return passwords.verify(self._password, pwd)

    def rehash_if_outdated(self, pwd: str) -> None:
        """Store a hash of today's cost if the stored one is of another.

        `pwd` was found right just now. A password that was changed in the
        same moment by somebody else stays changed.
        """
        before = self._password
        if before is None or not passwords.needs_rehash(before):
            return
        after = passwords.hash_password(pwd)
        if not self.replace_hash(before, after):
            # Perhaps another login has renewed it in the same moment.
            stored = User.get(self.id)
            if stored is None or not stored.is_valid_password(pwd):
                return
            after = str(stored.password)
        self._password = after
        if self._loaded is not None:
            # What is stored already is no change for `save` to write.
            loaded = list(self._loaded)
            loaded[_PASSWORD_INDEX] = after
            self._loaded = loaded

    def replace_hash(self, before: str | None, after: str) -> bool:
        """Store the hash `after` if `before` is stored; tell if it was."""
        return bool(
            self._execute(
                update(USERS)
                .where(USERS.c.id == self.id, USERS.c.password == before)
                .values(password=after, updated_at=clock.now())
            )
        )

    def replace_password(
        self,
        after: str,
        reason: str,
        kept: session_queries.Rotation | None = None,
    ) -> bool:
        """Store the hash of another password, and end all sessions but one.

        In one transaction, so that nothing outlives the old password:
        no reset code either. The session that is `kept` gets the new
        digest; tell if it was there.
        Raise `WrongPassword` if the stored password is another by now.
        """
        now = clock.now()
        statement = update(USERS).where(
            USERS.c.id == self.id, USERS.c.password == self._password
        )
        with database().transaction() as connection:
            self._delete_dependents(connection, {"password"})
            if not connection.execute(
                statement.values(password=after, updated_at=now)
            ).rowcount:
                raise WrongPassword("the password was changed meanwhile")
            rotated = kept is not None and (
                session_queries.rotate_in_transaction(connection, kept, now)
            )
            session_queries.delete_for_user_in_transaction(
                connection, self.id, reason, kept.new if kept else None
            )
        return rotated

    def set_hash(self, stored: str) -> None:
        """Take over a hash that another store made of the password."""
        self._password = stored

    def display_name(self) -> str:
        """Return the names, or the one there is, or the email, or ""."""
        return display_name(self.first_name, self.last_name, self.email)

    def _row(self) -> dict[str, Any]:
        """Return the value of each column; raise `InvalidValue`."""
        email = storable_text("email", self.email)
        if email == "":
            raise InvalidValue("email", "must not be empty", code="required")
        return super()._row() | {
            "email": email,
            "email_key": None if email is None else email_key(email),
            "password": self._password,
            "first_name": storable_text("first_name", self.first_name),
            "last_name": storable_text("last_name", self.last_name),
            "role": parse_role(self.role).value,
            "disabled_at": self.disabled_at,
            "first_key": name_key(self.first_name),
            "last_key": name_key(self.last_name),
            "signed_in_at": self.signed_in_at,
        }

    def _fill(self, row: Sequence[Any]) -> None:
        """Take the attributes from the columns of `row`, in their order."""
        (
            self.id,
            created_at,
            updated_at,
            self._email,
            _,
            self._password,
            self.first_name,
            self.last_name,
            self.role,
            disabled_at,
            _,
            _,
            signed_in_at,
        ) = row
        self.disabled_at = disabled_at and parse_moment(disabled_at)
        self.signed_in_at = signed_in_at and parse_moment(signed_in_at)
        self.created_at = parse_moment(created_at)
        self.updated_at = parse_moment(updated_at)

    @classmethod
    def _equals(cls, name: str, value: Any) -> ColumnElement[bool]:
        """Compare emails by their key, the rest as it is."""
        if name == "email" and value is not None:
            if not is_storable(value):
                return false()
            return USERS.c.email_key == email_key(value)
        return super()._equals(name, value)

    def remove_in_transaction(self, connection: Connection) -> None:
        """Delete the user, its sessions and its reset code together."""
        self.delete_reset_code(connection)
        super().remove_in_transaction(connection)
        session_queries.delete_for_user_in_transaction(
            connection, self.id, "user_removed"
        )

    def _delete_dependents(
        self, connection: Connection, changed: Collection[str]
    ) -> None:
        """End a reset code: it is for the old password, at the old email."""
        if not _RESET_CODE_COLUMNS.isdisjoint(changed):
            self.delete_reset_code(connection)

    def delete_reset_code(self, connection: Connection) -> None:
        """Delete the code by which the password could be reset.

        Its row comes before the user's, and that before the sessions', in
        every transaction: so no two of them wait for each other.
        """
        connection.execute(
            delete(RESET_CODES).where(RESET_CODES.c.user_id == self.id)
        )

    def _conflict_error(self) -> VestibuleError:
        """Say that the email is taken: nothing else can be in conflict."""
        return DuplicateEmail()
