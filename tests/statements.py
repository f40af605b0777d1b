#!/usr/bin/env python3
"""The statements that a database executes, in order."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

from sqlalchemy import Engine, event

from vestibule.db.engine import database


class Statement(NamedTuple):
    """The text of a statement, its parameters, and the rows it wrote."""

    text: str
    parameters: Any
    rows: int


@contextmanager
def recorded(engine: Engine | None = None) -> Iterator[list[Statement]]:
    """Yield a list that receives each statement until the end.

    Without an `engine` they are those of the open database. Look-ups that
    bypass SQLAlchemy are not recorded.
    """
    statements = list[Statement]()
    engine = engine or database().engine

    def record(
        connection: object,
        cursor: Any,
        text: str,
        parameters: Any,
        context: object,
        many: bool,
    ) -> None:
        """Record an executed statement."""
        statements.append(Statement(text, parameters, cursor.rowcount))

    event.listen(engine, "after_cursor_execute", record)
    try:
        yield statements
    finally:
        event.remove(engine, "after_cursor_execute", record)


def count_write_transactions(statements: list[Statement]) -> int:
    """Return how many transactions were begun; reads alone begin none."""
    return sum(each.text.startswith("BEGIN") for each in statements)
