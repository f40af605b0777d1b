#!/usr/bin/env python3
"""The server with the clock in the file that the argument names.

It replaces the two places where time is read and changes nothing else; the
product has no setting for that.
"""

import sys
from pathlib import Path

import pytest

from tests.clocks import FileClock
from vestibule.server.granian import main

if __name__ == "__main__":
    # Never undone: it holds for this process and its forked workers.
    FileClock(Path(sys.argv[1])).install(pytest.MonkeyPatch())
    main()
