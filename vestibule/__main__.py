#!/usr/bin/env python3
"""`python -m vestibule`, and the command `vestibule`: the command line."""

from vestibule.cli import main

if __name__ == "__main__":
    main()
