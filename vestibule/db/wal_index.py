#!/usr/bin/env python3
"""What SQLite writes at each commit where all processes see it: its index.

Its law: nothing is written here, and no file is opened or closed, because
closing a file drops all locks that a process has on it (POSIX), those of
SQLite too. The page that SQLite shares with its other processes is mapped
once more, for as long as a connection of ours keeps it from being cut.

To ask by `PRAGMA data_version` costs a thread the interpreter's lock, and
with it more time than all the rest of an answer.
"""

import ctypes
import itertools
import mmap
import os
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

#: Of the format that all versions since 3.7.0 read and write.
WAL_INDEX_VERSION = 3_007_000
#: Bytes of the header: a counter of commits is in it, the length of the
#: log and two checksums (https://sqlite.org/walformat.html, section 2.1).
HEADER_BYTES = 48
_INITIALIZED_OFFSET = 12
# A process that opens one database after another must not take a header
# of the one before for one of the next.
_instance_numbers = itertools.count(1)
_MAP_FAILED = ctypes.c_void_p(-1).value


class WalIndex:
    """The header of one database's index, sought when first asked for."""

    def __init__(self, path: str, connect: Callable[[], Any]) -> None:
        """Prepare for the database at `path`, which `connect` opens.

        Its connection must have read something. It is kept, for the file
        is cut when the last one ends, and what is cut must not be read.
        """
        self._path = path
        self._connect = connect
        self._seeking = threading.Lock()
        self._is_sought = False
        self._keeper: Any = None
        self._inode: tuple[int, int] | None = None
        self._header: Any = None
        self._number = b"%d " % next(_instance_numbers)

    def header(self) -> bytes | None:
        """Return what is another one after each commit, whoever made it.

        A commit counts for readers from the moment that it stands there.
        `None` where there is none: another journal, another system.
        """
        if not self._is_sought:
            with self._seeking:
                if not self._is_sought:
                    self._seek()
        return self.peek()

    def peek(self) -> bytes | None:
        """Return `header` if it was found already; seek nothing."""
        header = self._header
        return None if header is None else self._number + header.raw

    def detach_if_replaced(self) -> None:
        """Do without it once another file was put at the path.

        Whoever opens the path from then on writes to that other one.
        """
        if self._header is not None and _inode_of(self._path) != self._inode:
            self._header = None

    def close(self) -> None:
        """Let go of it; this process is done with the database."""
        self._is_sought, self._header = True, None
        keeper, self._keeper = self._keeper, None
        if keeper is not None:
            keeper.invalidate()
            keeper.close()

    def _seek(self) -> None:
        """Map the page, if this process has it open in the known format."""
        self._keeper = self._connect()
        self._inode = _inode_of(self._path)
        found = _open_descriptor(f"{os.path.realpath(self._path)}-shm")
        address = None if found is None else _map_page(found)
        if address is not None:
            header = (ctypes.c_char * HEADER_BYTES).from_address(address)
            if _is_readable(header.raw):
                self._header = header
        self._is_sought = True


def _is_readable(header: bytes) -> bool:
    """Tell whether the bytes are a header of the one known format."""
    version = int.from_bytes(header[:4], sys.byteorder)
    return version == WAL_INDEX_VERSION and bool(header[_INITIALIZED_OFFSET])


def _inode_of(path: str | int) -> tuple[int, int] | None:
    """Return what names an open file, or the one at `path`, if any."""
    try:
        seen = os.stat(path)
    except OSError:
        return None
    return seen.st_dev, seen.st_ino


def _open_descriptor(path: str) -> int | None:
    """Return by which descriptor this process has `path` open."""
    wanted, opened = _inode_of(path), Path("/proc/self/fd")
    if wanted is None or not opened.is_dir():
        return None
    for entry in opened.iterdir():
        if _inode_of(int(entry.name)) == wanted:
            return int(entry.name)
    return None


def _map_page(descriptor: int) -> int | None:
    """Return the address at which the file can be read, or `None`.

    Not by `mmap.mmap`: it has a descriptor of its own, and closes it.
    """
    function = ctypes.CDLL(None, use_errno=True).mmap
    function.restype = ctypes.c_void_p
    function.argtypes = [
        ctypes.c_void_p,
        ctypes.c_size_t,
        ctypes.c_int,
        ctypes.c_int,
        ctypes.c_int,
        ctypes.c_long,
    ]
    address: int | None = function(
        None, mmap.PAGESIZE, mmap.PROT_READ, mmap.MAP_SHARED, descriptor, 0
    )
    return None if address == _MAP_FAILED else address
