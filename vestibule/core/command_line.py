#!/usr/bin/env python3
"""How to type a command, and what to install, for hints in messages.

A command in a message must work where this program was started. The Python
of an installed `vestibule` is often not the one that `python` starts.

`pip install vestibule` brings a client alone; the service and the adapters
of the frameworks come with the extras that pyproject.toml names.
"""

import sys
from pathlib import Path

#: The command that an installation provides.
COMMAND_NAME = "vestibule"
_MODULE = "python -m vestibule"
#: Platforms without forks, signal masks and process groups.
_UNSUPPORTED = ("win32",)


def program() -> str:
    """Return the words before a command, as they started this process."""
    started = Path(sys.argv[0]).stem if sys.argv else ""
    return COMMAND_NAME if started == COMMAND_NAME else _MODULE


def command_line(command: str) -> str:
    """Return the line to type for a `command` with its arguments."""
    return f"{program()} {command}"


def refuse_windows() -> None:
    """End the program on Windows, which lacks what the service needs."""
    if sys.platform in _UNSUPPORTED:
        sys.exit(
            "vestibule: the service runs on Linux and macOS, not on Windows"
        )


def install_hint(error: ModuleNotFoundError, extra: str) -> str:
    """Return a message that names the missing module and the `extra`.

    Raise `error` again if a module of Vestibule itself is missing: no
    extra brings that.
    """
    missing = (error.name or "").partition(".")[0]
    if missing in ("", "vestibule"):
        raise error
    return (
        f"the Python package {missing} is not installed;"
        f' install it with: pip install "vestibule[{extra}]"'
    )
