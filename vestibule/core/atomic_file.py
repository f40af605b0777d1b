#!/usr/bin/env python3
"""Write a file atomically.

The file at the target name is complete or does not exist, has mode 600,
and replaces another file only if the caller wants that.
"""

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from vestibule.core.errors import DatabaseUnavailable


@contextmanager
def atomic_file(target: Path, *, replace: bool = False) -> Iterator[str]:
    """Yield the name of a file that becomes `target` if the block succeeds.

    Raise `DatabaseUnavailable` if `target` exists, unless `replace` is
    true, and `OSError`.
    """
    if not replace and os.path.lexists(target):
        raise _exists(target)
    handle, name = tempfile.mkstemp(
        prefix=f".{target.name[:100]}.", suffix=".part", dir=target.parent
    )
    os.close(handle)
    try:
        yield name
        _publish(name, target, replace)
    finally:
        with suppress(FileNotFoundError):
            os.unlink(name)


def _publish(name: str, target: Path, replace: bool) -> None:
    """Link the finished file `name` as `target`, and sync both to disk."""
    _synchronize(name)
    try:
        if replace:
            os.replace(name, target)
            return
        # Unlike a rename, a link never replaces a file that another process
        # created in the meantime.
        os.link(name, target)
    except FileExistsError:
        raise _exists(target) from None
    except OSError:
        # The file system has no hard links.
        os.rename(name, target)
    finally:
        _synchronize(str(target.parent))


def _synchronize(name: str) -> None:
    """Wait until the file or folder `name` is written to the disk."""
    handle = os.open(name, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _exists(target: Path) -> DatabaseUnavailable:
    """Return the error for a target that exists."""
    return DatabaseUnavailable(f"{target} exists already and is kept")
