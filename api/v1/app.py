#!/usr/bin/env python3
"""Leads to `vestibule.api.app`; run as a program, it serves."""

import sys

from vestibule.api import app
from vestibule.api.app import *  # noqa: F403

if __name__ == "__main__":
    from vestibule.server.granian import main

    main()
sys.modules[__name__] = app
