#!/usr/bin/env python3
"""How to type a command of Vestibule, for hints in messages.

A command in a message must work where this program was started. The Python
of an installed `vestibule` is often not the one that `python` starts.
"""

import sys
from pathlib import Path

#: The command that an installation provides.
COMMAND_NAME = "vestibule"
_MODULE = "python -m vestibule"


def program() -> str:
    """Return the words before a command, as they started this process."""
    started = Path(sys.argv[0]).stem if sys.argv else ""
    return COMMAND_NAME if started == COMMAND_NAME else _MODULE


def command_line(command: str) -> str:
    """Return the line to type for a `command` with its arguments."""
    return f"{program()} {command}"
