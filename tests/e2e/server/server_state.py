#!/usr/bin/env python3
"""What a server left behind: rows of its database, lines of its output."""

import contextlib
from pathlib import Path
from typing import Any

from tests.serving import Server
from vestibule.db import drivers

#: What no output may have: Python's, and the server core's, last words.
ALARMS = ("Traceback", "panicked at", "RuntimeError", "SAWarning")


def rows_of(folder: Path) -> dict[str, list[Any]]:
    """Return all rows of the SQLite file in `folder`, table by table."""
    path = folder / "vestibule.db"
    with contextlib.closing(
        drivers.sqlite_driver().connect(str(path))
    ) as database:
        return {
            table: database.execute(
                f"SELECT * FROM {table} ORDER BY id"
            ).fetchall()
            for table in ("users", "user_sessions")
        }


def has_signed_in(folder: Path) -> bool:
    """Tell whether the journal has noted that the one user signed in."""
    path = folder / "vestibule.db"
    with contextlib.closing(
        drivers.sqlite_driver().connect(str(path))
    ) as database:
        (row,) = database.execute("SELECT signed_in_at FROM users")
        return row[0] is not None


def defect_lines(server: Server) -> list[str]:
    """Return the lines of the server's output that tell of a defect."""
    return [
        line
        for line in list(server.output)
        if any(alarm in line for alarm in ALARMS)
    ]
