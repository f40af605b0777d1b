#!/usr/bin/env python3
"""What all workers of a server have counted, added up by any of them.

Its law: a scrape reaches one worker and must tell of all. Each leaves its
sums in a file of the server's own folder, at most `PAUSE` old; those of a
worker that died stay, so no sum ever gets smaller.
"""

import json
import os
import shutil
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import NamedTuple

from vestibule.core.threads import start_thread
from vestibule.metrics.counters import (
    EventKey,
    RequestKey,
    Sums,
    counters,
    sum_counts,
)

#: Seconds between two looks at whether there is something new to leave.
PAUSE = 2.0

#: The folder of the server that this process works for; none, if it works
#: alone.
_folder: Path | None = None
_sharing = threading.Lock()


class PooledCounts(NamedTuple):
    """The sums of all workers, and how many have counted."""

    sums: Sums
    workers: int


class Share:
    """The file in which one worker leaves what it has counted."""

    def __init__(self, folder: Path) -> None:
        """Prepare a file in `folder` that no other worker has."""
        self.path = folder / f"{os.getpid()}-{os.urandom(4).hex()}.json"
        self._written: Sums = {}
        self._writing = threading.Lock()
        self._keeper: threading.Thread | None = None

    def write(self) -> None:
        """Leave the sums of now, if they are others than before.

        Where the disk is full, those of before stay until the next time.
        """
        with self._writing:
            sums = counters().sums()
            if sums == self._written:
                return
            part = self.path.with_suffix(".part")
            with suppress(OSError):
                part.write_text(json.dumps([*map(list, sums.items())]))
                part.replace(self.path)
                self._written = sums

    def ensure_kept(self) -> None:
        """Let a thread of its own keep it fresh, if there is none."""
        if self._keeper is None:
            self._keeper = start_thread("counts", self._keep_writing)

    def _keep_writing(self) -> None:
        """Leave the sums again and again, while the folder is there."""
        pause = threading.Event()
        while self.path.parent.is_dir():
            self.write()
            pause.wait(PAUSE)


#: This worker's files, by their folders.
_shares: dict[Path, Share] = {}


@contextmanager
def shared_counts(workers: int) -> Iterator[None]:
    """Let the workers that are forked within add up what they count."""
    global _folder
    if workers == 1:
        yield
        return
    _folder = Path(tempfile.mkdtemp(prefix="vestibule-counts-"))
    try:
        yield
    finally:
        shutil.rmtree(_folder, ignore_errors=True)
        _shares.pop(_folder, None)
        _folder = None


def begin_sharing() -> None:
    """Leave what this worker counts where the others find it, from now on.

    Where a worker is alone there is nobody to leave it for.
    """
    if _folder is not None:
        _share(_folder)


def pooled_counts() -> PooledCounts:
    """Return what the workers of this server have counted."""
    if _folder is None:
        return PooledCounts(counters().sums(), 1)
    _share(_folder).write()
    files = sorted(_folder.glob("*.json"))
    return PooledCounts(sum_counts(map(_read, files)), len(files))


def _share(folder: Path) -> Share:
    """Return this worker's file, which is kept fresh from now on.

    With two of them it would be added up twice.
    """
    with _sharing:
        share = _shares.get(folder)
        if share is None:
            share = _shares[folder] = Share(folder)
        share.ensure_kept()
        return share


def _read(file: Path) -> list[tuple[RequestKey | EventKey, list[float]]]:
    """Return the sums that a worker left."""
    return [(tuple(key), sums) for key, sums in json.loads(file.read_text())]


def _forget_after_fork() -> None:
    """Let a worker have its own file, not its sibling's."""
    global _sharing
    _sharing = threading.Lock()
    _shares.clear()


os.register_at_fork(after_in_child=_forget_after_fork)
