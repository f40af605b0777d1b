#!/usr/bin/env python3
"""Events as files: CSV for spreadsheets, JSON lines for programs.

Its law: it holds a thousand events at a time, however many there are; no
text of a stranger is a formula to who opens the file; and a file that is
sent is whole, for nobody could see that half of it is missing.
"""

import csv
import io
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from tempfile import SpooledTemporaryFile
from typing import IO, NamedTuple

import orjson

from models import events
from models.events import Happening, Wanted
from vestibule.errors import StoreUnavailable

#: Events that are read at once.
BATCH = 1_000
#: Bytes of a file that is written to memory; a longer one goes to a disk.
SHORT = 1_000_000
#: Bytes that are read of it at once.
PIECE = 65_536
FIELDS = (
    "time", "kind", "user_id", "by_id", "ip", "network", "user_agent",
    "handle", "reason", "count", "times",
)
#: What makes a spreadsheet take a cell for more than text (OWASP, CSV
#: injection).
_FORMULA = ("=", "+", "-", "@", "\t", "\r")

#: Is told how many events more have been taken.
Told = Callable[[int], None]
Writer = Callable[[Sequence[Happening]], bytes]


class Format(NamedTuple):
    """A form of file: its content's type, its beginning, its rows."""

    mimetype: str
    beginning: bytes
    write: Writer


def record_of(one: Happening) -> dict[str, str | int | None]:
    """Return an event by the names that files and the API have for it."""
    return {
        "time": one.at.isoformat(),
        **{name: getattr(one, name) for name in FIELDS[1:]},
    }


def whole(wanted: Wanted, form: Format) -> IO[bytes]:
    """Return the file of all events that are wanted, to be read and closed.

    It has no name: nobody else opens it, and it goes with this process.
    Raise as the database does, or `StoreUnavailable` for a full disk.
    """
    try:
        with ExitStack() as if_it_fails:
            file = if_it_fails.enter_context(SpooledTemporaryFile(SHORT))
            file.writelines(stream(wanted, form))
            file.flush()
            if_it_fails.pop_all()
            return file
    except OSError as error:
        raise StoreUnavailable(f"no file of events: {error}") from None


def pieces(file: IO[bytes]) -> Iterator[bytes]:
    """Give what a file has, and close it."""
    with file:
        while piece := file.read(PIECE):
            yield piece


def _untold(number: int) -> None:
    """Tell nobody."""


def stream(
    wanted: Wanted, form: Format, told: Told = _untold
) -> Iterator[bytes]:
    """Give the file of all events that are wanted, the newest first.

    `told` hears of those of a piece when the next one is asked for.
    """
    yield form.beginning
    for some in batches(wanted):
        yield form.write(some)
        told(len(some))


def batches(wanted: Wanted) -> Iterator[Sequence[Happening]]:
    """Give all events that are wanted, the newest first, some at a time.
    """
    before: int | None = None
    while some := events.page(wanted, BATCH, before):
        yield some
        if len(some) < BATCH:
            return
        before = some[-1].id


def defused(value: str | int | None) -> str | int | None:
    """Return a cell's value so that no spreadsheet computes it."""
    if isinstance(value, str) and value.startswith(_FORMULA):
        return f"'{value}"
    return value


def _as_csv(some: Sequence[Happening]) -> bytes:
    """Return rows of a CSV file (RFC 4180)."""
    text = io.StringIO()
    csv.writer(text).writerows(
        map(defused, record_of(one).values()) for one in some
    )
    return text.getvalue().encode()


def _as_lines(some: Sequence[Happening]) -> bytes:
    """Return lines of JSON."""
    return b"".join(orjson.dumps(record_of(one)) + b"\n" for one in some)


FORMATS = {
    "csv": Format("text/csv", ",".join(FIELDS).encode() + b"\r\n", _as_csv),
    "jsonl": Format("application/x-ndjson", b"", _as_lines),
}
