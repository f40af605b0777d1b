#!/usr/bin/env python3
"""How a command of Vestibule is typed where this program was started.

Its law: what a message tells to type works for who reads it. An installed
`vestibule` often has a Python of its own that nobody calls `python`.
"""

import sys
from pathlib import Path

#: The command that an installation brings.
COMMAND_NAME = "vestibule"
_MODULE = "python -m vestibule"


def program() -> str:
    """Return the words before a command: those that began this process."""
    started = Path(sys.argv[0]).stem if sys.argv else ""
    return COMMAND_NAME if started == COMMAND_NAME else _MODULE


def command_line(command: str) -> str:
    """Return the whole line for a `command` and its arguments."""
    return f"{program()} {command}"
