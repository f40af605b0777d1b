#!/usr/bin/env python3
"""Add many users from a file of CSV or of JSON lines.

Each row is checked on its own and stored in a transaction of its own: a bad
row is reported and does not stop the others, and no message repeats what
may be a secret. A user whose email is stored already is not changed, so an
interrupted job, or one with corrected rows, can be repeated. Passwords are
hashed on all cores."""

import csv
import json
from collections import deque
from collections.abc import Generator, Iterable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from enum import Enum
from typing import Any

from vestibule.accounts.json_import import JSONPairs, Outcome
from vestibule.accounts.password_policy import check_new_password
from vestibule.accounts.permissions import LOCAL, Actor
from vestibule.accounts.recovery import (
    RESET_CODE_LIFETIME,
    ResetCode,
    store_with_code,
)
from vestibule.accounts.users import checked_user, log_added
from vestibule.audit.log import EventType, log
from vestibule.core.errors import DuplicateEmail, InvalidValue
from vestibule.core.passwords import usable_cores
from vestibule.db.models.user import Role, User

#: What a row may have; only the email is required.
COLUMNS = ("email", "first_name", "last_name", "role", "password")
#: Rows for each core that are checked and hashed while others are stored.
ROWS_AHEAD = 8
#: Characters of a line of JSON.
MAX_LINE_LENGTH = 65_536


class WithoutPassword(Enum):
    """What becomes of a row without a password."""

    REFUSE = "refuse"
    #: The user gets a reset code.
    INVITE = "invite"
    #: The user cannot sign in before an admin issues a code.
    ALLOW = "allow"


@dataclass(frozen=True)
class AddedRow:
    """The outcome of a row: its user and code, or why it is bad."""

    #: The number of the row, from 1 on.
    number: int
    outcome: Outcome
    email: str | None = None
    user: User | None = None
    code: ResetCode | None = None
    why: str = ""


#: The values of a row by column, or the reason why it cannot be read.
Row = Mapping[str, Any] | InvalidValue


def read_csv(lines: Iterable[str]) -> Iterator[Row]:
    """Yield the rows below the line with the names of the columns.

    An empty cell counts as missing. Raise `InvalidValue` for a text that
    is not CSV, or whose columns are not those of `COLUMNS`.
    """
    reader = csv.reader(lines, strict=True)
    try:
        names = [name.strip() for name in next(reader, [])]
        if "email" not in names or not set(names) <= set(COLUMNS):
            raise InvalidValue(
                "the first line",
                f"must have names of {', '.join(COLUMNS)}, email among them",
                code="invalid",
            )
        if len(set(names)) < len(names):
            raise InvalidValue(
                "the first line", "has a column twice", code="invalid"
            )
        for cells in reader:
            if not cells:
                continue
            if len(cells) != len(names):
                yield InvalidValue(
                    "the row",
                    "has another number of cells than the first line",
                    code="invalid",
                )
                continue
            yield {
                name: cell
                for name, cell in zip(names, cells, strict=True)
                if cell
            }
    except csv.Error:
        raise InvalidValue(
            "the file",
            f"is not CSV after line {reader.line_num}",
            code="invalid",
        ) from None


def read_json_lines(lines: Iterable[str]) -> Iterator[Row]:
    """Yield the object of each line that is not blank."""
    for line in lines:
        if line.strip():
            yield _json_row(line)


def _json_row(line: str) -> Row:
    """Return the object of a line, or what is wrong with it."""
    try:
        if len(line) > MAX_LINE_LENGTH:
            raise ValueError
        pairs = json.loads(line, object_pairs_hook=JSONPairs)
        if not isinstance(pairs, JSONPairs):
            raise ValueError
    except (ValueError, RecursionError):
        return InvalidValue(
            "the row", "is not one JSON object", code="invalid"
        )
    values = dict(pairs)
    if len(values) < len(pairs):
        return InvalidValue("the row", "has a field twice", code="invalid")
    if not set(values) <= set(COLUMNS):
        return InvalidValue(
            "the row",
            f"may have {', '.join(COLUMNS)} and nothing else",
            code="invalid",
        )
    return {name: value for name, value in values.items() if value is not None}


def add_users(
    rows: Iterable[Row],
    without_password: WithoutPassword,
    *,
    actor: Actor = LOCAL,
) -> Generator[AddedRow, None, None]:
    """Add the users of the `rows`; yield the outcome of each in order.

    Hashing is most of the work, and releases the GIL. While one row is
    stored, the rows after it are hashed, so that no core waits.
    """
    cores = usable_cores()
    ahead: deque[tuple[int, Future[User | InvalidValue]]] = deque()
    with ThreadPoolExecutor(cores) as threads:
        try:
            for number, row in enumerate(rows, 1):
                prepared = threads.submit(_prepare, row, without_password)
                ahead.append((number, prepared))
                if len(ahead) > ROWS_AHEAD * cores:
                    yield _store_next(ahead, without_password, actor)
            while ahead:
                yield _store_next(ahead, without_password, actor)
        finally:
            # After Ctrl-C, rows that are never stored need no hash.
            threads.shutdown(cancel_futures=True)


def _store_next(
    ahead: deque[tuple[int, Future[User | InvalidValue]]],
    without_password: WithoutPassword,
    actor: Actor,
) -> AddedRow:
    """Store the first of the prepared rows; return its outcome."""
    number, prepared = ahead.popleft()
    return _store(number, prepared.result(), without_password, actor)


def _prepare(
    row: Row, without_password: WithoutPassword
) -> User | InvalidValue:
    """Return the checked user of a row, or what is wrong with it."""
    try:
        if isinstance(row, InvalidValue):
            raise row
        user = checked_user(
            row.get("email"),
            row.get("first_name"),
            row.get("last_name"),
            row.get("role", Role.MEMBER),
        )
        password = row.get("password")
        if password is not None:
            check_new_password(password, user.email)
            user.password = password
        elif without_password is WithoutPassword.REFUSE:
            raise InvalidValue("password", "is missing", code="required")
    except InvalidValue as error:
        return error
    return user


def _store(
    number: int,
    user: User | InvalidValue,
    without_password: WithoutPassword,
    actor: Actor,
) -> AddedRow:
    """Store a checked user and log it; return the outcome."""
    if isinstance(user, InvalidValue):
        return AddedRow(number, Outcome.BAD, why=str(user))
    invited = (
        user.password is None and without_password is WithoutPassword.INVITE
    )
    code = None
    try:
        if invited:
            code = store_with_code(
                user, actor=actor, lifetime=RESET_CODE_LIFETIME
            )
        else:
            user.save()
    except DuplicateEmail:
        return AddedRow(number, Outcome.PRESENT, user.email)
    except InvalidValue as error:
        return AddedRow(number, Outcome.BAD, user.email, why=str(error))
    log_added(user, actor)
    if invited:
        log(EventType.RESET_CODE_ISSUED, user=user.id, by=actor.id)
    return AddedRow(number, Outcome.IMPORTED, user.email, user, code)
