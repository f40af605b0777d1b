#!/usr/bin/env python3
"""The types of columns, and the metadata that tables are added to."""

from datetime import datetime, timezone
from typing import Any

from sqlalchemy import (
    TIMESTAMP,
    BigInteger,
    Dialect,
    Integer,
    MetaData,
    String,
    Text,
    TypeDecorator,
)
from sqlalchemy.types import TypeEngine

#: Has all tables of the service.
METADATA = MetaData()


def parse_moment(value: Any) -> datetime:
    """Return a column's value as a moment in UTC.

    SQLite gives the text that `UTCMoment` wrote, PostgreSQL a `datetime`.
    """
    if isinstance(value, str):
        return datetime.fromisoformat(value)
    return as_utc(value)


def as_utc(value: datetime) -> datetime:
    """Return `value` in UTC; a value without a zone counts as UTC."""
    if value.tzinfo is timezone.utc:
        return value
    if value.tzinfo is None:
        return value.replace(tzinfo=timezone.utc)
    return value.astimezone(timezone.utc)


class UTCMoment(TypeDecorator[datetime]):
    """An aware `datetime` in UTC, the same on both databases.

    SQLite has no type for it and would return naive values, so there it is
    text of one fixed form, which sorts by time.
    """

    impl = TIMESTAMP
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        """Return the column type of `dialect`."""
        if dialect.name == "sqlite":
            return dialect.type_descriptor(String(32))
        return dialect.type_descriptor(TIMESTAMP(timezone=True))

    def process_bind_param(
        self, value: datetime | None, dialect: Dialect
    ) -> Any:
        """Return the parameter that the driver gets for `value`."""
        if value is None or dialect.name != "sqlite":
            return value
        return as_utc(value).isoformat(" ", "microseconds")

    def process_result_value(
        self, value: Any, dialect: Dialect
    ) -> datetime | None:
        """Return the moment of the driver's `value`."""
        return None if value is None else parse_moment(value)


#: A number of 64 bits. SQLite stores the rows of a table in its order only
#: if the type of the column is INTEGER.
RowNumber = BigInteger().with_variant(Integer, "sqlite")


#: Text that sorts by code points, as in Python and as a search for a prefix
#: needs it, whatever the collation of a PostgreSQL database.
SortableText = Text().with_variant(Text(collation="C"), "postgresql")
