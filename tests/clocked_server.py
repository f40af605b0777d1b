#!/usr/bin/env python3
"""The server with a clock that a test moves: the clock's file is named.

Its law: it replaces the two places where time is read, and is the product
in all the rest; there is no setting for it.
"""

import sys
from pathlib import Path

import pytest

from tests.clocks import FileClock
from vestibule.api.app import main

if __name__ == "__main__":
    # For as long as this process and the workers that it forks live.
    FileClock(Path(sys.argv[1])).install(pytest.MonkeyPatch())
    main()
