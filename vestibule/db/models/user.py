#!/usr/bin/env python3
"""The users table: accounts with an email, a password and a role."""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Any, TypeVar

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
from vestibule.core.assurance import Role as Role
from vestibule.core.errors import (
    DuplicateEmail,
    InvalidValue,
    VestibuleError,
    WrongPassword,
)
from vestibule.core.text import display_name, email_key, name_key, search_text
from vestibule.db import factors, outgoing_mails, session_queries
from vestibule.db.column_types import parse_moment
from vestibule.db.engine import database
from vestibule.db.factor_tables import PASSKEY_CHALLENGES, PASSKEY_HANDLES
from vestibule.db.models.base import Base, is_storable, storable_text
from vestibule.db.outgoing_mails import NewMail
from vestibule.db.tables import KNOWN_DEVICES, MAIL_TOKENS, RESET_CODES, USERS

Self = TypeVar("Self", bound="User")

_EMAIL_INDEX, _EMAIL_KEY_INDEX, _PASSWORD_INDEX = (
    USERS.c.keys().index(name) for name in ("email", "email_key", "password")
)
#: The purpose of the links that take a change of the email back. They work
#: whatever else changes.
UNDO_PURPOSE = "email_changed"
#: Columns whose change invalidates a reset code.
_RESET_CODE_COLUMNS = frozenset({"password", "email_key"})
# While a change is not committed, PostgreSQL returns the row as it was;
# `FOR SHARE` waits for the commit. `FOR KEY SHARE` would not, because a hash
# is not a key. On SQLite, which has one writer at a time, SQLAlchemy leaves
# the clause out.
_SELECT_COMMITTED = (
    select(USERS)
    .where(USERS.c.id == bindparam("id"))
    .with_for_update(read=True)
)
# Every login runs this. SQLAlchemy needs a quarter of the time for a
# statement that exists already.
_BY_EMAIL = (
    select(USERS)
    .where(USERS.c.email_key == bindparam("key"))
    .order_by(USERS.c.created_at, USERS.c.id)
)


def parse_role(value: Any) -> Role:
    """Return the role with the name `value`; raise `InvalidValue`.

    Every role is checked here before it is stored.
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
        """Create a user from `email`, `first_name` and `last_name`."""
        super().__init__(*args, **kwargs)
        self.email = kwargs.get("email")
        self.first_name: str | None = kwargs.get("first_name")
        self.last_name: str | None = kwargs.get("last_name")
        self._password: str | None = None
        #: `member` or `admin`.
        self.role: str = Role.MEMBER.value
        #: When the user was disabled, or `None`.
        self.disabled_at: datetime | None = None
        #: The last login, as far as events are stored.
        self.signed_in_at: datetime | None = None
        #: When the user opened the link of a mail to this email.
        self.email_verified_at: datetime | None = None
        #: The language of mails, such as `fr`; `None`: the default.
        self.language: str | None = None
        #: Whether a sign-in with a new device is told by mail.
        self.device_notices: bool = True
        #: When a second factor was first required of the user.
        self.factor_required_at: datetime | None = None

    @classmethod
    def get_committed(cls, id: str) -> "User | None":
        """Return the stored user, after any uncommitted change has ended.

        The lock lasts as long as the statement, which takes no other lock,
        so it cannot be part of a deadlock.
        """
        row = database().fetch_one(_SELECT_COMMITTED, {"id": id})
        return None if row is None else cls._from_row(row)

    @property
    def email(self) -> str | None:
        """Return the email as it was given, without surrounding blanks."""
        return self._email

    @email.setter
    def email(self, value: str | None) -> None:
        """Set the email without surrounding blanks."""
        self._email = value.strip() if isinstance(value, str) else value

    @property
    def email_key(self) -> str | None:
        """Return the form by which the email is compared.

        A stored key is kept until the email changes. It may differ from
        the email: the upgrade to revision 0007 gave a different key to each
        user whose address an older user has.
        """
        loaded = self._loaded
        if loaded is not None and loaded[_EMAIL_INDEX] == self._email:
            key: str | None = loaded[_EMAIL_KEY_INDEX]
            return key
        return None if self._email is None else email_key(self._email)

    @property
    def password(self) -> str | None:
        """Return the stored hash, or `None`; the clear text is not kept."""
        return self._password

    @password.setter
    def password(self, value: str | None) -> None:
        """Set the hash of a string; any other value means no password.

        Raise `InvalidValue` for text that cannot be encoded in UTF-8.
        """
        self._password = (
            passwords.hash_password(value) if isinstance(value, str) else None
        )

    def is_valid_password(self, pwd: Any) -> bool:
        """Return True if `pwd` is this user's password."""
        if not isinstance(pwd, str):
            return False
        return passwords.verify(self._password, pwd)

    def rehash_if_outdated(self, pwd: str) -> None:
        """Store a new hash if the stored one has another cost profile.

        `pwd` was just verified. If the password is changed at the same
        moment, the change wins.
        """
        before = self._password
        if before is None or not passwords.needs_rehash(before):
            return
        after = passwords.hash_password(pwd)
        if not self.replace_hash(before, after):
            # Another login may have stored a new hash at the same moment.
            stored = User.get(self.id)
            if stored is None or not stored.is_valid_password(pwd):
                return
            after = str(stored.password)
        self._password = after
        if self._loaded is not None:
            # The hash is stored already, so `save` must not write it.
            loaded = list(self._loaded)
            loaded[_PASSWORD_INDEX] = after
            self._loaded = loaded

    def replace_hash(self, before: str | None, after: str) -> bool:
        """Store the hash `after` if `before` is stored; return True if so."""
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
        rotation: session_queries.Rotation | None = None,
        mails: Sequence[NewMail] = (),
    ) -> bool:
        """Store the hash `after` of a new password; end all sessions but one.

        In one transaction, so that neither a session nor a reset code
        outlives the old password; it queues `mails` too. The session of
        `rotation` gets its new digest; return True if it was there. Raise
        `WrongPassword` if the stored password has changed in the meantime.
        """
        now = clock.now()
        statement = update(USERS).where(
            USERS.c.id == self.id, USERS.c.password == self._password
        )
        with database().transaction() as connection:
            self.delete_dependents(connection, {"password"})
            if not connection.execute(
                statement.values(password=after, updated_at=now)
            ).rowcount:
                raise WrongPassword("the password was changed meanwhile")
            rotated = rotation is not None and (
                session_queries.rotate_in_transaction(
                    connection, rotation, now
                )
            )
            session_queries.delete_for_user_in_transaction(
                connection, self.id, reason, rotation.new if rotation else None
            )
            outgoing_mails.add_in_transaction(connection, mails)
        return rotated

    @property
    def has_password(self) -> bool:
        """Return True if the user has set a password."""
        return self._password is not None

    def set_hash(self, password_hash: str) -> None:
        """Set the hash of a password whose clear text is not known."""
        self._password = password_hash

    def display_name(self) -> str:
        """Return both names, or the one there is, or the email, or ""."""
        return display_name(self.first_name, self.last_name, self.email)

    def _row(self) -> dict[str, Any]:
        """Return the value of each column; raise `InvalidValue`."""
        email = storable_text("email", self.email)
        if email == "":
            raise InvalidValue("email", "must not be empty", code="required")
        return super()._row() | {
            "email": email,
            "email_key": self.email_key,
            "password": self._password,
            "first_name": storable_text("first_name", self.first_name),
            "last_name": storable_text("last_name", self.last_name),
            "role": parse_role(self.role).value,
            "disabled_at": self.disabled_at,
            "first_key": name_key(self.first_name),
            "last_key": name_key(self.last_name),
            "signed_in_at": self.signed_in_at,
            "search_text": search_text(
                self.email, self.first_name, self.last_name
            ),
            "email_verified_at": self._verified_at(),
            "language": self.language,
            "device_notices": self.device_notices,
            "factor_required_at": self.factor_required_at,
        }

    def _verified_at(self) -> datetime | None:
        """Return when the present email was confirmed, or `None`.

        Another address than the one that was loaded is not confirmed.
        """
        loaded = self._loaded
        if loaded is not None and loaded[_EMAIL_KEY_INDEX] != self.email_key:
            self.email_verified_at = None
        return self.email_verified_at

    def _fill(self, row: Sequence[Any]) -> None:
        """Set the attributes from the columns of `row`, in their order."""
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
            _,
            verified_at,
            self.language,
            device_notices,
            required_at,
        ) = row
        self.factor_required_at = required_at and parse_moment(required_at)
        self.device_notices = bool(device_notices)
        self.email_verified_at = verified_at and parse_moment(verified_at)
        self.disabled_at = disabled_at and parse_moment(disabled_at)
        self.signed_in_at = signed_in_at and parse_moment(signed_in_at)
        self.created_at = parse_moment(created_at)
        self.updated_at = parse_moment(updated_at)

    @classmethod
    def search(
        cls: type[Self], attributes: Mapping[str, Any] | None = None
    ) -> list[Self]:
        """Return the users whose attributes equal all given values.

        The oldest comes first. Without attributes, return all users.
        """
        match attributes:
            case {"email": str(email), **others} if not others:
                pass
            case _:
                return super().search(attributes)
        if not is_storable(email):
            return []
        found = database().fetch_all(_BY_EMAIL, {"key": email_key(email)})
        return [cls._from_row(row) for row in found]

    @classmethod
    def _equals(cls, name: str, value: Any) -> ColumnElement[bool]:
        """Compare emails by their key, other attributes by value."""
        if name == "email" and value is not None:
            if not is_storable(value):
                return false()
            return USERS.c.email_key == email_key(value)
        return super()._equals(name, value)

    def remove_in_transaction(self, connection: Connection) -> None:
        """Delete the user with its sessions, its factors and its codes."""
        self.delete_reset_code(connection)
        for table in (
            MAIL_TOKENS,
            KNOWN_DEVICES,
            PASSKEY_CHALLENGES,
            PASSKEY_HANDLES,
        ):
            connection.execute(delete(table).where(table.c.user_id == self.id))
        super().remove_in_transaction(connection)
        factors.delete_for_user_in_transaction(connection, self.id)
        session_queries.delete_for_user_in_transaction(
            connection, self.id, "user_removed"
        )

    def delete_dependents(
        self, connection: Connection, changed: Collection[str]
    ) -> None:
        """Delete the reset code if the password or the email changes."""
        if not _RESET_CODE_COLUMNS.isdisjoint(changed):
            self.delete_reset_code(connection)

    def delete_reset_code(self, connection: Connection) -> None:
        """Delete the user's reset code and links within a transaction.

        Every transaction locks its row before the user's, and that before
        the sessions', so that no two transactions deadlock.
        """
        connection.execute(
            delete(RESET_CODES).where(RESET_CODES.c.user_id == self.id)
        )
        connection.execute(
            delete(MAIL_TOKENS).where(
                MAIL_TOKENS.c.user_id == self.id,
                MAIL_TOKENS.c.purpose != UNDO_PURPOSE,
            )
        )

    def _conflict_error(self) -> VestibuleError:
        """Return the error for a taken email, the only possible conflict."""
        return DuplicateEmail()
