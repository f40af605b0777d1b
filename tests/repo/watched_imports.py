#!/usr/bin/env python3
"""A program that imports modules and prints the side effects.

Side effects are files opened for writing, sockets, databases, programs and
threads. It runs in a process of its own because an audit hook cannot be
removed and a module is imported once.
"""

import importlib
import os
import sys
import threading
from typing import Any

WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_TRUNC
#: Audit events that are side effects whatever their arguments.
SIDE_EFFECTS = (
    "socket.",
    "sqlite3.connect",
    "subprocess.",
    "os.system",
    "os.exec",
    "os.posix_spawn",
    "os.fork",
    "os.mkdir",
    "os.remove",
    "os.rename",
    "_thread.start_new_thread",
)

side_effects: list[str] = []


def record(event: str, arguments: tuple[Any, ...]) -> None:
    """Record an audit event that is a side effect."""
    if event == "open":
        path, mode, flags = arguments
        if set(mode or "") & set("wax+") or (flags or 0) & WRITING:
            side_effects.append(f"open {path} {mode}")
    elif event.startswith(SIDE_EFFECTS):
        side_effects.append(event)


def main(names: list[str]) -> None:
    """Import the modules `names` and print the side effects."""
    sys.addaudithook(record)
    for name in names:
        importlib.import_module(name)
        if threading.active_count() > 1:
            side_effects.append(f"a thread of {name}")
    if "api.v1.auth" in sys.modules:
        create_mechanisms_and_models()
    for side_effect in side_effects:
        print(side_effect)
    for path in os.listdir():
        print(f"a file {path}")


def create_mechanisms_and_models() -> None:
    """Create each mechanism and each model without arguments."""
    from vestibule.db.models.user import User
    from vestibule.db.models.user_session import UserSession
    from vestibule.mechanisms import MECHANISMS

    for made in (*MECHANISMS.values(), User, UserSession):
        made()


if __name__ == "__main__":
    main(sys.argv[1:])
