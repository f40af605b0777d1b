#!/usr/bin/env python3
"""A file that somebody asked for, which takes its time to be written.

Its law: the file at the wanted name is whole or is not there, belongs to
its owner alone, and replaces nothing.
"""

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from vestibule.core.errors import DatabaseUnavailable


@contextmanager
def atomic_file(target: Path) -> Iterator[str]:
    """Give the name of a file that becomes `target` if the block succeeds.

    Raise `StoreUnavailable` if there is one, and `OSError`.
    """
    if os.path.lexists(target):
        raise _exists(target)
    handle, name = tempfile.mkstemp(
        prefix=f".{target.name[:100]}.", suffix=".part", dir=target.parent
    )
    os.close(handle)
    try:
        yield name
        _publish(name, target)
    finally:
        with suppress(FileNotFoundError):
            os.unlink(name)


def _publish(name: str, target: Path) -> None:
    """Make the finished file `name` appear as `target`, durably."""
    _synchronize(name)
    try:
        # Unlike a rename, a link never replaces what came meanwhile.
        os.link(name, target)
    except FileExistsError:
        raise _exists(target) from None
    except OSError:
        # A file system without hard links.
        os.rename(name, target)
    _synchronize(str(target.parent))


def _synchronize(name: str) -> None:
    """Wait until the file or folder `name` is on the disk."""
    handle = os.open(name, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _exists(target: Path) -> DatabaseUnavailable:
    """Return the error for a name that is taken."""
    return DatabaseUnavailable(f"{target} exists already and is kept")
