#!/usr/bin/env python3
"""Read the header of SQLite's WAL index, which changes with each commit.

This module writes nothing, and it opens and closes no file: closing a file
drops all POSIX locks that the process has on it, those of SQLite included.
It maps the page that SQLite shares with other processes a second time, and
keeps a connection open so that SQLite does not truncate the file.

The alternative is `PRAGMA data_version`. It makes a thread give up the
interpreter's lock, which takes longer than the rest of a response.
"""

import ctypes
import mmap
import os
import sys
import threading
from collections.abc import Callable
from typing import Any

from vestibule.db.drivers import descriptor_of, inode_of

#: The format that all versions of SQLite since 3.7.0 read and write.
WAL_INDEX_VERSION = 3_007_000
#: Length of the header. It contains a counter of commits, the length of
#: the log and two checksums (https://sqlite.org/walformat.html, 2.1).
HEADER_BYTES = 48
_INITIALIZED_OFFSET = 12
_MAP_FAILED = ctypes.c_void_p(-1).value


class WalIndex:
    """The header of one database's WAL index, mapped at its first use."""

    def __init__(self, path: str, connect: Callable[[], Any]) -> None:
        """Prepare for the database at `path`, which `connect` opens.

        The connection must have read something. It stays open: SQLite
        truncates the file when the last connection closes, and reading a
        truncated mapping would kill the process.
        """
        self._path = path
        self._connect = connect
        self._map_lock = threading.Lock()
        self._is_initialized = False
        self._connection: Any = None
        self._header: Any = None

    def header(self) -> bytes | None:
        """Return bytes that change with each commit of any process.

        Readers see a commit from the moment that it is in the header.
        `None` without a WAL index: another journal mode or system.
        """
        if not self._is_initialized:
            with self._map_lock:
                if not self._is_initialized:
                    self._map_header()
        return self.peek()

    def peek(self) -> bytes | None:
        """Return `header` if it is mapped already, else `None`."""
        header = self._header
        return None if header is None else header.raw

    def close(self) -> None:
        """Stop using the header and close the connection that protects it."""
        self._is_initialized, self._header = True, None
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.invalidate()
            connection.close()

    def _map_header(self) -> None:
        """Map the header if the file is open here and has a known format."""
        self._connection = self._connect()
        inode = inode_of(f"{os.path.realpath(self._path)}-shm")
        descriptor = None if inode is None else descriptor_of(inode)
        address = None if descriptor is None else _map_page(descriptor)
        if address is not None:
            header = (ctypes.c_char * HEADER_BYTES).from_address(address)
            if _is_readable(header.raw):
                self._header = header
        self._is_initialized = True


def _is_readable(header: bytes) -> bool:
    """Return True if the bytes are a header of the known format."""
    version = int.from_bytes(header[:4], sys.byteorder)
    return version == WAL_INDEX_VERSION and bool(header[_INITIALIZED_OFFSET])


def _map_page(descriptor: int) -> int | None:
    """Map the first page of the file; return its address, or `None`.

    `mmap.mmap` cannot be used: it duplicates the descriptor and closes the
    copy later, which would drop SQLite's locks.
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
