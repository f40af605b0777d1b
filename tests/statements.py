#!/usr/bin/env python3
"""The statements that a database is given, in their order."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

from sqlalchemy import event

from models.engine import database


class Statement(NamedTuple):
    """The text of one, and what is bound to it."""

    text: str
    parameters: Any


@contextmanager
def recorded() -> Iterator[list[Statement]]:
    """Give a list that gets each statement until the end.

    The look-ups that go round SQLAlchemy are not among them.
    """
    engine, statements = database().engine, list[Statement]()

    def record(
        connection: object, cursor: object, text: str, parameters: Any,
        context: object, many: bool,
    ) -> None:
        """Note one that is about to be run."""
        statements.append(Statement(text, parameters))

    event.listen(engine, "before_cursor_execute", record)
    try:
        yield statements
    finally:
        event.remove(engine, "before_cursor_execute", record)
