#!/usr/bin/env python3
"""Add many users from a file: of an older program, of CSV or of JSON lines.

Each row is checked on its own: a bad row is reported and does not stop the
others, and no message repeats what may be a secret. Existing users are not
changed, so an interrupted job, or one with corrected rows, can be repeated.

`import_users` takes the JSON file in which an older program kept its users.
Its dry run reports what it would do and writes nothing. `add_users` takes
CSV or JSON lines, stores each row in a transaction of its own, and hashes
passwords on all cores.
"""

import csv
import json
import re
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime, timezone
from enum import Enum
from typing import Any

from vestibule.accounts.password_policy import check_new_password
from vestibule.accounts.permissions import LOCAL, Actor
from vestibule.accounts.recovery import (
    RESET_CODE_LIFETIME,
    ResetCode,
    store_with_code,
)
from vestibule.accounts.users import checked_user, log_added
from vestibule.audit.log import EventType, log
from vestibule.core import passwords
from vestibule.core.errors import DuplicateEmail, InvalidValue
from vestibule.core.passwords import usable_cores
from vestibule.core.text import email_key
from vestibule.db.models.user import Role, User

_TIME_FORMAT = "%Y-%m-%dT%H:%M:%S"
_SHA256 = re.compile(r"[0-9a-fA-F]{64}")

#: What a row may have; only the email is required.
COLUMNS = ("email", "first_name", "last_name", "role", "password")
#: Rows for each core that are checked and hashed while others are stored.
ROWS_AHEAD = 8
#: Characters of a line of JSON.
MAX_LINE_LENGTH = 65_536


class JSONPairs(list[tuple[str, Any]]):
    """The members of a JSON object in order, including repeated names."""


def read_rows(content: bytes) -> JSONPairs:
    """Return the rows of the file with their keys, in their order.

    Raise `InvalidValue` if the file is not one JSON object.
    """
    try:
        rows = json.loads(content, object_pairs_hook=JSONPairs)
    except (ValueError, RecursionError) as error:
        why = error if isinstance(error, json.JSONDecodeError) else "not text"
        raise InvalidValue(
            "the file", f"is not JSON: {why}", code="invalid"
        ) from None
    if not isinstance(rows, JSONPairs):
        raise InvalidValue(
            "the file", "must be a JSON object of users", code="invalid"
        )
    return rows


def user_from_row(key: str, row: Any) -> User:
    """Return the user that a `row` describes, not stored yet.

    Raise `InvalidValue` with the field that is wrong.
    """
    if not isinstance(row, JSONPairs):
        raise InvalidValue("the row", "must be an object", code="invalid")
    fields = dict(row)
    if len(fields) < len(row):
        raise InvalidValue("the row", "has a field twice", code="invalid")
    if not key or fields.get("id", key) != key:
        raise InvalidValue("id", "must be the key of the row", code="invalid")
    user = User(
        id=key,
        email=fields.get("email"),
        first_name=fields.get("first_name"),
        last_name=fields.get("last_name"),
        created_at=_time("created_at", fields),
        updated_at=_time("updated_at", fields),
    )
    digest = fields.get("_password")
    if digest is not None:
        user.set_hash(passwords.legacy_hash(_sha256(digest)))
    user.validate()
    return user


def _time(name: str, fields: dict[str, Any]) -> datetime:
    """Return the time, in UTC, in the field `name`."""
    try:
        naive = datetime.strptime(fields[name], _TIME_FORMAT)
    except (KeyError, TypeError, ValueError):
        raise InvalidValue(
            name, "must be a moment like 2020-01-31T23:59:59", code="invalid"
        ) from None
    return naive.replace(tzinfo=timezone.utc)


def _sha256(value: Any) -> str:
    """Return `value` if it is a SHA-256 in hex digits, or raise."""
    if isinstance(value, str) and _SHA256.fullmatch(value):
        return value
    raise InvalidValue(
        "_password", "must be a SHA-256 of 64 hex digits", code="invalid"
    )


class Outcome(Enum):
    """What became of a row."""

    IMPORTED = "imported"
    PRESENT = "already there"
    BAD = "bad"


@dataclass(frozen=True)
class Report:
    """The outcome of the row with this key, and why it is bad."""

    key: str
    outcome: Outcome
    why: str = ""


#: Stores a user; returns True if the id was free, or raises `InvalidValue`.
Importer = Callable[[User], bool]


def import_users(
    rows: Iterable[tuple[str, Any]], insert: Importer
) -> Iterator[Report]:
    """Import each of the `rows` with `insert`; yield a report for each.

    Each row is a transaction of its own: an interrupted import leaves
    complete users, and the next one continues after them.
    """
    seen = set()
    for key, row in rows:
        try:
            if key in seen:
                raise InvalidValue(
                    "the key", "is in the file twice", code="invalid"
                )
            seen.add(key)
            is_new = insert(user_from_row(key, row))
        except InvalidValue as error:
            yield Report(key, Outcome.BAD, str(error))
        else:
            yield Report(key, Outcome.IMPORTED if is_new else Outcome.PRESENT)


class DryRun:
    """An `Importer` that stores nothing."""

    def __init__(self, is_empty: bool) -> None:
        """Start; `is_empty` is True for a database without users."""
        self._is_empty = is_empty
        self._keys: set[str] = set()

    def __call__(self, user: User) -> bool:
        """Return what `User.insert` would return for `user`."""
        if not self._is_empty and User.get(user.id) is not None:
            return False
        if user.email is not None:
            key = email_key(user.email)
            if key in self._keys or self._is_stored(key):
                raise DuplicateEmail
            self._keys.add(key)
        return True

    def _is_stored(self, key: str) -> bool:
        """Return True if a stored user has this email."""
        return not self._is_empty and bool(User.search({"email": key}))


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
