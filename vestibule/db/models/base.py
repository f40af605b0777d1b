#!/usr/bin/env python3
"""The base class of stored objects: an id, two dates and a table row.

An object is plain Python. It keeps the row it was loaded from, so that
saving writes only the columns that changed: two programs that change
different fields of one user do not overwrite each other's changes.
"""

import uuid
from collections.abc import Collection, Iterator, Mapping, Sequence
from datetime import datetime
from functools import cache
from typing import Any, ClassVar, TypeVar

from sqlalchemy import (
    ColumnElement,
    Connection,
    Select,
    Table,
    and_,
    bindparam,
    delete,
    false,
    func,
    or_,
    select,
    update,
)
from sqlalchemy.exc import IntegrityError

from vestibule.core import clock
from vestibule.core.errors import InvalidValue, RecordGone, VestibuleError
from vestibule.db.column_types import as_utc, parse_moment
from vestibule.db.engine import database
from vestibule.db.identity_map import IdentityMap
from vestibule.db.outgoing_mails import NewMail, add_in_transaction
from vestibule.db.statements import insert_into

Self = TypeVar("Self", bound="Base")


class Base:
    """An object with an id that can be saved, found and removed."""

    #: The table that stores the objects of a class.
    _table: ClassVar[Table]
    #: The attributes that `to_json` includes and `search` accepts.
    _public: ClassVar[tuple[str, ...]] = ("id", "created_at", "updated_at")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        """Create a new object in memory; nothing is stored before `save`.

        `id`, `created_at` and `updated_at` may be given by keyword: dates
        as `datetime` or ISO 8601 text, in UTC unless they have a zone.
        """
        now = clock.now()
        self.id: str = kwargs.get("id") or str(uuid.uuid4())
        self.created_at = _moment_argument("created_at", kwargs, now)
        self.updated_at = _moment_argument("updated_at", kwargs, now)
        self._loaded: Sequence[Any] | None = None

    def copy(self: Self) -> Self:
        """Return a shallow copy."""
        copied = type(self).__new__(type(self))
        copied.__dict__.update(self.__dict__)
        return copied

    def __eq__(self, other: object) -> bool:
        """Return True if both have the same class and the same id."""
        return type(self) is type(other) and self.id == getattr(
            other, "id", None
        )

    def __hash__(self) -> int:
        """Return a hash that is consistent with equality."""
        return hash((type(self), self.id))

    def __repr__(self) -> str:
        """Return the class and the id, without any secret."""
        return f"<{type(self).__name__} {self.id}>"

    def to_json(self) -> dict[str, str | None]:
        """Return the public attributes, moments as `YYYY-MM-DD HH:MM:SS`."""
        return {
            name: value.isoformat(" ", "seconds")[:19]
            if isinstance(value := getattr(self, name), datetime)
            else value
            for name in self._public
        }

    def save(self, mails: Sequence[NewMail] = ()) -> None:
        """Insert the object or update its row, and set `updated_at`.

        The transaction queues `mails` too.
        Raise `InvalidValue` for an attribute that cannot be stored.
        """
        row, changed = self.changes()
        statement = insert_into(self._table).values(row)
        self._execute(
            statement.on_conflict_do_update(
                index_elements=["id"], set_=changed
            ),
            changed,
            mails,
        )
        self._loaded = tuple(row.values())

    def save_changes(self, mails: Sequence[NewMail] = ()) -> None:
        """Update the row of an object that was loaded.

        The transaction queues `mails` too.
        Raise `RecordGone` if it was deleted in the meantime: unlike
        `save`, this never restores a deleted object.
        """
        row, changed = self.changes()
        statement = update(self._table).where(self._table.c.id == self.id)
        if not self._execute(statement.values(changed), changed, mails):
            raise RecordGone(f"{self!r} was removed")
        self._loaded = tuple(row.values())

    def changes(self) -> tuple[dict[str, Any], dict[str, Any]]:
        """Return the row to store, and the columns of it that changed.

        The object gets a new `updated_at`. Raise `InvalidValue`.
        """
        self.updated_at = clock.now()
        row = self._row()
        return row, self._changed_columns(row)

    def insert(self) -> bool:
        """Insert the object as it is, with the dates that it has.

        Return False, and change nothing, if its id is stored already.
        """
        row = self._row()
        statement = (
            insert_into(self._table)
            .on_conflict_do_nothing(index_elements=["id"])
            .values(row)
        )
        # SQLAlchemy drops the row count of an insert without this option.
        inserted = (
            self._execute(statement.execution_options(preserve_rowcount=True))
            > 0
        )
        if inserted:
            self._loaded = tuple(row.values())
        return inserted

    def insert_in_transaction(self, connection: Connection) -> None:
        """Insert the object within the caller's transaction.

        Raise `IntegrityError` if it violates a rule of the schema.
        """
        row = self._row()
        connection.execute(insert_into(self._table), row)
        self._loaded = tuple(row.values())

    def validate(self) -> None:
        """Raise `InvalidValue` for an attribute that cannot be stored."""
        self._row()

    def remove(self) -> None:
        """Delete the object; do nothing if it is not stored."""
        with database().transaction() as connection:
            self.remove_in_transaction(connection)

    @classmethod
    def get(cls: type[Self], id: Any = None) -> Self | None:
        """Return the object with this `id`, or `None`."""
        if not is_storable(id):
            return None
        loaded: Self | None = IdentityMap.get(cls, id)
        if loaded is not None:
            return loaded
        row = database().fetch_one(_by_id(cls._table), {"id": id})
        return None if row is None else cls._from_row(row)

    @classmethod
    def search(
        cls: type[Self], attributes: Mapping[str, Any] | None = None
    ) -> list[Self]:
        """Return the objects whose attributes equal all given values.

        The oldest comes first. Without attributes, return all objects.
        """
        found = database().fetch_all(cls._search_statement(attributes))
        return [cls._from_row(row) for row in found]

    @classmethod
    def search_pages(
        cls: type[Self],
        attributes: Mapping[str, Any] | None = None,
        size: int = 500,
    ) -> Iterator[list[Self]]:
        """Yield what `search` returns, at most `size` objects at a time.

        Each page is a query of its own, and no object is on two pages.
        """
        created, id = cls._table.c.created_at, cls._table.c.id
        page = found = cls._search_statement(attributes).limit(size)
        while rows := database().fetch_all(page):
            objects = [cls._from_row(row) for row in rows]
            yield objects
            last = objects[-1]
            # The first condition is redundant, but the database enters an
            # index by it instead of reading all pages before this one.
            page = found.where(
                created >= last.created_at,
                or_(
                    created > last.created_at,
                    and_(created == last.created_at, id > last.id),
                ),
            )

    @classmethod
    def _search_statement(
        cls, attributes: Mapping[str, Any] | None
    ) -> Select[Any]:
        """Return the query for these attributes, oldest first."""
        table = cls._table
        conditions = [
            cls._equals(name, value)
            for name, value in (attributes or {}).items()
        ]
        return (
            select(table)
            .where(*conditions)
            .order_by(table.c.created_at, table.c.id)
        )

    @classmethod
    def all(cls: type[Self]) -> list[Self]:
        """Return all objects of the class, oldest first."""
        return cls.search()

    @classmethod
    def count(cls) -> int:
        """Return how many objects of the class are stored."""
        statement = select(func.count()).select_from(cls._table)
        return int(database().fetch_all(statement)[0][0])

    def _row(self) -> dict[str, Any]:
        """Return each column's value, in their order; raise `InvalidValue`."""
        id = storable_text("id", self.id)
        if id is None:
            raise InvalidValue("id", "must not be missing", code="required")
        return {
            "id": id,
            "created_at": storable_moment("created_at", self.created_at),
            "updated_at": storable_moment("updated_at", self.updated_at),
        }

    @classmethod
    def _from_row(cls: type[Self], row: Sequence[Any]) -> Self:
        """Return the object of a `row` of the table."""
        loaded = cls.__new__(cls)
        loaded._loaded = row
        loaded._fill(row)
        return loaded

    def _fill(self, row: Sequence[Any]) -> None:
        """Set the attributes from the columns of `row`, in their order."""
        raise NotImplementedError

    @classmethod
    def _equals(cls, name: str, value: Any) -> ColumnElement[bool]:
        """Return the condition that attribute `name` equals `value`."""
        if name not in cls._public:
            return false()
        column = cls._table.c[name]
        if value is None:
            return column.is_(None)
        if name in ("created_at", "updated_at"):
            try:
                return column == storable_moment(name, value)
            except InvalidValue:
                return false()
        return column == value if is_storable(value) else false()

    def _changed_columns(self, row: Mapping[str, Any]) -> dict[str, Any]:
        """Return the columns of `row` that differ from what was loaded.

        `updated_at` is always among them.
        """
        if self._loaded is None:
            return dict(row)
        return {
            name: value
            for (name, value), before in zip(
                row.items(), self._loaded, strict=True
            )
            if name == "updated_at" or value != _comparable(before, value)
        }

    def remove_in_transaction(self, connection: Connection) -> None:
        """Delete the row, and the rows that depend on it."""
        connection.execute(
            delete(self._table).where(self._table.c.id == self.id)
        )

    def delete_dependents(
        self, connection: Connection, changed: Collection[str]
    ) -> None:
        """Delete the rows that a change of these columns makes invalid."""

    def _execute(
        self,
        statement: Any,
        changed: Collection[str] = (),
        mails: Sequence[NewMail] = (),
    ) -> int:
        """Run one write, queue mails, and return how many rows it affected.

        Nothing is queued if no row was affected.
        """
        try:
            with database().transaction() as connection:
                self.delete_dependents(connection, changed)
                affected = int(connection.execute(statement).rowcount)
                if affected:
                    add_in_transaction(connection, mails)
                return affected
        except IntegrityError:
            raise self._conflict_error() from None

    def _conflict_error(self) -> VestibuleError:
        """Return the error for a row that violates a rule of the schema."""
        return InvalidValue(
            "id", "is in conflict with what is stored", code="invalid"
        )


def is_storable(value: Any) -> bool:
    """Return True if `value` is text that both databases can store.

    PostgreSQL refuses NUL; a lone surrogate cannot be encoded in UTF-8.
    """
    if not isinstance(value, str) or "\0" in value:
        return False
    return value.isascii() or not any(
        "\ud800" <= character <= "\udfff" for character in value
    )


def storable_text(field: str, value: Any) -> str | None:
    """Return `value`; raise `InvalidValue` unless it is text or `None`."""
    if value is None or is_storable(value):
        return value  # type: ignore[no-any-return]
    if isinstance(value, str):
        raise InvalidValue(
            field,
            "contains an invalid character",
            code="invalid_character",
        )
    raise InvalidValue(field, "must be a string", code="invalid")


def storable_moment(field: str, value: Any) -> datetime:
    """Return `value` in UTC; raise `InvalidValue` if it is no `datetime`.

    A moment that is outside the calendar in UTC is refused too.
    """
    if isinstance(value, datetime):
        try:
            return as_utc(value)
        except OverflowError:
            pass
    raise InvalidValue(field, "must be a date and time", code="invalid")


def _moment_argument(
    name: str, kwargs: Mapping[str, Any], default: datetime
) -> datetime:
    """Return the keyword argument `name` as a moment, or `default`."""
    value = kwargs.get(name)
    if value is None:
        return default
    if isinstance(value, str):
        try:
            value = datetime.fromisoformat(value)
        except ValueError:
            pass
    return storable_moment(name, value)


def _comparable(before: Any, value: Any) -> Any:
    """Return `before`, a value of a driver, in the type of `value`."""
    if before is None or not isinstance(value, datetime):
        return before
    return parse_moment(before)


@cache
def _by_id(table: Table) -> Select[Any]:
    """Return the query for a row of `table` by its id."""
    return select(table).where(table.c.id == bindparam("id"))
