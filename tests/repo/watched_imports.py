#!/usr/bin/env python3
"""A program that imports the named modules and prints what they did to
the world: files opened for writing, sockets, databases, programs, threads.

It is run in a process of its own, because an audit hook cannot be removed
and a module is imported once.
"""

import importlib
import os
import sys
import threading
from typing import Any

WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_TRUNC
#: Events that are a deed whatever their arguments.
DEEDS = (
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

deeds: list[str] = []


def witness(event: str, arguments: tuple[Any, ...]) -> None:
    """Note an event of the interpreter that changes or asks the world."""
    if event == "open":
        path, mode, flags = arguments
        if set(mode or "") & set("wax+") or (flags or 0) & WRITING:
            deeds.append(f"open {path} {mode}")
    elif event.startswith(DEEDS):
        deeds.append(event)


def main(names: list[str]) -> None:
    """Import the modules `names` and print what was seen meanwhile."""
    sys.addaudithook(witness)
    for name in names:
        importlib.import_module(name)
        if threading.active_count() > 1:
            deeds.append(f"a thread of {name}")
    if "api.v1.auth" in sys.modules:
        make_what_needs_nothing()
    for deed in deeds:
        print(deed)
    for path in os.listdir():
        print(f"a file {path}")


def make_what_needs_nothing() -> None:
    """Make one of each mechanism and of each model, without arguments."""
    from vestibule.db.models.user import User
    from vestibule.db.models.user_session import UserSession
    from vestibule.mechanisms import MECHANISMS

    for made in (*MECHANISMS.values(), User, UserSession):
        made()


if __name__ == "__main__":
    main(sys.argv[1:])
