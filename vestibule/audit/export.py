#!/usr/bin/env python3
"""Export of events as files: CSV for spreadsheets, JSON lines for programs.

An export holds at most `EXPORT_BATCH_SIZE` events in memory. Text from
clients is never a formula in a spreadsheet, and a file that is cut short
says so in its last line.
"""

import csv
import io
import logging
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import UTC, tzinfo
from itertools import chain
from typing import NamedTuple

import orjson

from vestibule.core.errors import VestibuleError
from vestibule.db import events
from vestibule.db.events import Event, EventFilter

_log = logging.getLogger(__name__)

#: Events in one read from the database.
EXPORT_BATCH_SIZE = 1_000
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
#: Spreadsheets compute a cell that begins so (OWASP, CSV injection).
_FORMULA = ("=", "+", "-", "@", "\t", "\r")

#: Called with the number of events that were taken since the last call.
ProgressCallback = Callable[[int], None]
RowWriter = Callable[[Sequence[Event], tzinfo], bytes]


class Format(NamedTuple):
    """A file format: its MIME type, header, rows and error line."""

    mimetype: str
    header: bytes
    write: RowWriter
    error_line: bytes


def event_record(
    one: Event, zone: tzinfo = UTC
) -> dict[str, str | int | None]:
    """Return the fields of an event, by the names in files and the API."""
    return {
        "time": one.at.astimezone(zone).isoformat(),
        **{name: getattr(one, name) for name in FIELDS[1:]},
    }


def export_file(
    event_filter: EventFilter, form: Format, zone: tzinfo = UTC
) -> Iterator[bytes]:
    """Return the file of all events that match, to be sent as a stream.

    Its times have the offset of `zone`.

    The first batch is read at once; raise as the database does. A later
    failure can no longer change the status, and the server would end the
    body as if it were complete, so the last line reports it.
    """
    pieces = stream_events(event_filter, form, zone=zone)
    first = [next(pieces), next(pieces, b"")]
    return chain(first, _end_with_error_line(pieces, form))


def _end_with_error_line(
    pieces: Iterator[bytes], form: Format
) -> Iterator[bytes]:
    """Yield the pieces of a file; after a failure, its error line."""
    try:
        yield from pieces
    except VestibuleError as error:
        _log.error("an export of events failed: %s", error)
        yield form.error_line
    except Exception:
        _log.exception("an export of events failed")
        yield form.error_line


def _ignore_progress(number: int) -> None:
    """Report no progress."""


def stream_events(
    event_filter: EventFilter,
    form: Format,
    progress: ProgressCallback = _ignore_progress,
    zone: tzinfo = UTC,
) -> Iterator[bytes]:
    """Yield the file of all events that match, the newest first.

    `progress` is called after each piece with its number of events.
    """
    yield form.header
    for batch in event_batches(event_filter):
        yield form.write(batch, zone)
        progress(len(batch))


def event_batches(event_filter: EventFilter) -> Iterator[Sequence[Event]]:
    """Yield all events that match in batches, the newest first."""
    before: int | None = None
    while True:
        batch, before = events.fetch_page(
            event_filter, EXPORT_BATCH_SIZE, before
        )
        if batch:
            yield batch
        if before is None:
            return


def escape_formula(value: str | int | None) -> str | int | None:
    """Return a cell's value, escaped if it would be a formula."""
    if isinstance(value, str) and value.startswith(_FORMULA):
        return f"'{value}"
    return value


def csv_rows(rows: Iterable[Iterable[str | int | None]]) -> bytes:
    """Return rows of a CSV file (RFC 4180), in which no cell is a formula."""
    text = io.StringIO()
    csv.writer(text).writerows(map(escape_formula, row) for row in rows)
    return text.getvalue().encode()


def _csv_events(batch: Sequence[Event], zone: tzinfo) -> bytes:
    """Return events as rows of a CSV file."""
    return csv_rows(event_record(one, zone).values() for one in batch)


def _json_lines(batch: Sequence[Event], zone: tzinfo) -> bytes:
    """Return lines of JSON."""
    return b"".join(
        orjson.dumps(event_record(one, zone)) + b"\n" for one in batch
    )


FORMATS = {
    "csv": Format(
        "text/csv",
        ",".join(FIELDS).encode() + b"\r\n",
        _csv_events,
        b"error: Service Unavailable\r\n",
    ),
    "jsonl": Format(
        "application/x-ndjson",
        b"",
        _json_lines,
        b'{"error":"Service Unavailable"}\n',
    ),
}
