#!/usr/bin/env python3
"""`python -m vestibule`: the command line."""

from vestibule.cli import main

main()
