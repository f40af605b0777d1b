#!/usr/bin/env python3
"""`python -m vestibule`, and the command `vestibule`: the command line.

The package may be installed without the service. A command that misses a
part of it names the extra to install.
"""

import sys

from vestibule.core.command_line import install_hint, refuse_windows


def main() -> None:
    """Run the command that the arguments name, and exit."""
    refuse_windows()
    try:
        from vestibule.cli import main as run

        run()
    except ModuleNotFoundError as error:
        print(f"vestibule: {install_hint(error, 'server')}", file=sys.stderr)
        sys.exit(1)


if __name__ == "__main__":
    main()
