#!/usr/bin/env python3
"""Who is at the command line, as events name it."""

import os
import pwd

from vestibule.observe.security import COMMAND_LINE

#: Characters of a name that are kept.
LONGEST = 64


def actor() -> str:
    """Return who does what a command does: the user of its process.

    The kernel says who that is; the environment says what it was told.
    """
    number = os.getuid()
    try:
        name = pwd.getpwuid(number).pw_name
    except KeyError:
        # Containers run as users whom no file has.
        name = str(number)
    return f"{COMMAND_LINE}{name[:LONGEST]}"
