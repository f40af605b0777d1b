#!/usr/bin/env python3
"""What the workers of a server share: their counts, and unexpected exits.

A Prometheus scrape hits one worker but must report the whole server. Every
`WRITE_INTERVAL_SECONDS` each worker writes its counts to a file in a folder
of the server. The files of dead workers stay, so that no count ever
decreases.

The multiprocess mode of prometheus-client would replace this module, but it
writes to memory maps under locks for each request. With it the verify
route takes 12 % more CPU time per request, so this module stays.

The parent process sees the end of a worker and counts it in memory that it
shares with its workers, so that any of them can report it in a scrape. The
parent has no connection to the database. The worker that is started next
writes the event.
"""

import json
import os
import shutil
import signal
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import NamedTuple

from vestibule.core import settings
from vestibule.core.errors import ConfigurationError
from vestibule.core.threads import SharedNumber, shared_number, start_thread
from vestibule.metrics.counters import (
    EventKey,
    RequestKey,
    Totals,
    counters,
    sum_counts,
)

#: Seconds between two writes of a worker's counts, if they have changed.
WRITE_INTERVAL_SECONDS = 2.0
#: The folder of the server that this process is a worker of; `None` if it
#: is the only one.
_folder: Path | None = None
_files_lock = threading.Lock()
#: Exit codes of a worker that another process asked to end.
_EXPECTED_EXIT_CODES = (0, -signal.SIGTERM)
_counting = threading.Lock()
#: The number of exits, shared by the processes of a server; `None` in a
#: process that belongs to no server.
_count: SharedNumber | None = None


class ServerCounts(NamedTuple):
    """The counts of all workers, and the number of these workers."""

    totals: Totals
    workers: int


class CountsFile:
    """The file to which one worker writes its counts."""

    def __init__(self, folder: Path) -> None:
        """Choose a file in `folder` that no other worker has."""
        self.path = folder / f"{os.getpid()}-{os.urandom(4).hex()}.json"
        self._written: Totals = {}
        self._writing = threading.Lock()
        self._thread: threading.Thread | None = None

    def write(self) -> None:
        """Write the counts if they have changed.

        If the disk is full, the previous counts stay until the next write.
        """
        with self._writing:
            totals = counters().totals()
            if totals == self._written:
                return
            part = self.path.with_suffix(".part")
            with suppress(OSError):
                part.write_text(json.dumps([*map(list, totals.items())]))
                part.replace(self.path)
                self._written = totals

    def ensure_thread(self) -> None:
        """Start the thread that keeps the file fresh, if none runs."""
        if self._thread is None:
            self._thread = start_thread("metrics", self._write_at_intervals)

    def _write_at_intervals(self) -> None:
        """Write the counts at intervals, while the folder exists."""
        pause = threading.Event()
        while self.path.parent.is_dir():
            self.write()
            pause.wait(WRITE_INTERVAL_SECONDS)


#: The files of this worker, by their folders.
_files: dict[Path, CountsFile] = {}


@contextmanager
def shared_counts(workers: int) -> Iterator[Path | None]:
    """Share the counts of the workers that are started within the block.

    Yield the folder for them, which a single worker does not need. Raise
    `ConfigurationError` if no folder for temporary files is writable.
    """
    global _folder
    if workers == 1 or not settings.METRICS.read():
        yield None
        return
    try:
        _folder = Path(tempfile.mkdtemp(prefix="vestibule-counts-"))
    except OSError as error:
        raise ConfigurationError(
            "TMPDIR",
            "must be a writable folder, where several workers share their"
            f" metrics: {error.strerror}; METRICS=off needs none",
        ) from None
    try:
        yield _folder
    finally:
        shutil.rmtree(_folder, ignore_errors=True)
        _files.pop(_folder, None)
        _folder = None


def share_in(folder: Path | None) -> None:
    """Use the `folder` of the server, in a worker that was spawned."""
    global _folder
    _folder = folder


def start_sharing() -> None:
    """Write the counts of this worker for the others from now on.

    A single worker writes no file.
    """
    if _folder is not None:
        _file_in(_folder)


def server_counts() -> ServerCounts:
    """Return the counts of all workers of this server."""
    if _folder is None:
        return ServerCounts(counters().totals(), 1)
    _file_in(_folder).write()
    files = sorted(_folder.glob("*.json"))
    return ServerCounts(sum_counts(map(_read_file, files)), len(files))


def _file_in(folder: Path) -> CountsFile:
    """Return this worker's only file in `folder`, and keep it fresh.

    The counts in a second file would be added twice.
    """
    with _files_lock:
        counts_file = _files.get(folder)
        if counts_file is None:
            counts_file = _files[folder] = CountsFile(folder)
        counts_file.ensure_thread()
        return counts_file


def _read_file(file: Path) -> list[tuple[RequestKey | EventKey, list[float]]]:
    """Return the counts that a worker wrote."""
    return [(tuple(key), sums) for key, sums in json.loads(file.read_text())]


def _forget_after_fork() -> None:
    """Let a forked worker have its own file, not its parent's."""
    global _files_lock
    _files_lock = threading.Lock()
    _files.clear()


os.register_at_fork(after_in_child=_forget_after_fork)


def exit_cause(exit_code: int) -> str | None:
    """Return what ended a process: the name of a signal, or its exit code.

    `exit_code` is negative if a signal ended it. Return `None` if the
    process ended because it was told to.
    """
    if exit_code in _EXPECTED_EXIT_CODES:
        return None
    if exit_code > 0:
        return f"exit code {exit_code}"
    try:
        return signal.Signals(-exit_code).name
    except ValueError:
        return f"signal {-exit_code}"


@contextmanager
def counting_exits() -> Iterator[SharedNumber]:
    """Count within the block, in memory that the workers share."""
    global _count
    _count = shared_number()
    try:
        yield _count
    finally:
        _count = None


def share_exits_in(number: SharedNumber) -> None:
    """Use the `number` of the server, in a worker that was spawned."""
    global _count
    _count = number


def count_exit() -> None:
    """Count one more exit."""
    with _counting:
        if _count is not None:
            _count.value += 1


def exit_count() -> int | None:
    """Return how many workers of this server have ended unexpectedly.

    `None` if this process belongs to no server.
    """
    return None if _count is None else _count.value
