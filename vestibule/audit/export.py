#!/usr/bin/env python3
"""Events as files: CSV for spreadsheets, JSON lines for programs.

Its law: it holds a thousand events at a time, however many there are; no
text of a stranger is a formula to who opens the file; and a file that
breaks off says so in its last line.
"""

import csv
import io
import logging
from collections.abc import Callable, Iterator, Sequence
from itertools import chain
from typing import NamedTuple

import orjson

from vestibule.core.errors import VestibuleError
from vestibule.db import events
from vestibule.db.events import Event, EventFilter

_log = logging.getLogger(__name__)

#: Events that are read at once.
BATCH = 1_000
FIELDS = (
    "time",
    "kind",
    "user_id",
    "by_id",
    "ip",
    "network",
    "user_agent",
    "handle",
    "reason",
    "count",
    "times",
)
#: What makes a spreadsheet take a cell for more than text (OWASP, CSV
#: injection).
_FORMULA = ("=", "+", "-", "@", "\t", "\r")

#: Is told how many events more have been taken.
Told = Callable[[int], None]
Writer = Callable[[Sequence[Event]], bytes]


class Format(NamedTuple):
    """A form of file: its type, beginning and rows; how it breaks off."""

    mimetype: str
    beginning: bytes
    write: Writer
    broken: bytes


def event_record(one: Event) -> dict[str, str | int | None]:
    """Return an event by the names that files and the API have for it."""
    return {
        "time": one.at.isoformat(),
        **{name: getattr(one, name) for name in FIELDS[1:]},
    }


def export_file(wanted: EventFilter, form: Format) -> Iterator[bytes]:
    """Give the file of all events that are wanted, to be sent as it is read.

    The first of them are read at once: raise as the database does. What
    fails later cannot be a status any more, and the server would end the
    body as if that were all; so the last line says it.
    """
    pieces = stream_events(wanted, form)
    beginning = [next(pieces), next(pieces, b"")]
    return chain(beginning, _told_if_broken(pieces, form))


def _told_if_broken(pieces: Iterator[bytes], form: Format) -> Iterator[bytes]:
    """Give the pieces of a file, and if one fails the line that says so."""
    try:
        yield from pieces
    except VestibuleError as error:
        _log.error("a file of events broke off: %s", error)
        yield form.broken
    except Exception:
        _log.exception("a file of events broke off")
        yield form.broken


def _untold(number: int) -> None:
    """Tell nobody."""


def stream_events(
    wanted: EventFilter, form: Format, told: Told = _untold
) -> Iterator[bytes]:
    """Give the file of all events that are wanted, the newest first.

    `told` hears of those of a piece when the next one is asked for.
    """
    yield form.beginning
    for some in event_batches(wanted):
        yield form.write(some)
        told(len(some))


def event_batches(wanted: EventFilter) -> Iterator[Sequence[Event]]:
    """Give all events that are wanted, the newest first, some at a time."""
    before: int | None = None
    while True:
        some, before = events.fetch_page(wanted, BATCH, before)
        if some:
            yield some
        if before is None:
            return


def escape_formula(value: str | int | None) -> str | int | None:
    """Return a cell's value so that no spreadsheet computes it."""
    if isinstance(value, str) and value.startswith(_FORMULA):
        return f"'{value}"
    return value


def _as_csv(some: Sequence[Event]) -> bytes:
    """Return rows of a CSV file (RFC 4180)."""
    text = io.StringIO()
    csv.writer(text).writerows(
        map(escape_formula, event_record(one).values()) for one in some
    )
    return text.getvalue().encode()


def _as_lines(some: Sequence[Event]) -> bytes:
    """Return lines of JSON."""
    return b"".join(orjson.dumps(event_record(one)) + b"\n" for one in some)


FORMATS = {
    "csv": Format(
        "text/csv",
        ",".join(FIELDS).encode() + b"\r\n",
        _as_csv,
        b"error: Service Unavailable\r\n",
    ),
    "jsonl": Format(
        "application/x-ndjson",
        b"",
        _as_lines,
        b'{"error":"Service Unavailable"}\n',
    ),
}
