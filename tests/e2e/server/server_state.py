#!/usr/bin/env python3
"""The state that a server leaves: database rows and output lines."""

import contextlib
from pathlib import Path
from typing import Any

from tests.serving import Server
from vestibule.db import drivers

#: Texts that show a defect of the Python code or of the Rust core.
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
    """Return True if the sign-in time of the only user is stored."""
    path = folder / "vestibule.db"
    with contextlib.closing(
        drivers.sqlite_driver().connect(str(path))
    ) as database:
        (row,) = database.execute("SELECT signed_in_at FROM users")
        return row[0] is not None


def defect_lines(server: Server) -> list[str]:
    """Return the lines of the server's output that show a defect."""
    return [
        line
        for line in list(server.output)
        if any(alarm in line for alarm in ALARMS)
    ]
