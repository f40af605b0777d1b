#!/usr/bin/env python3
"""How any text is shown on one line that does nothing to a terminal."""


def printable(line: str) -> str:
    """Return `line` with its control characters made visible."""
    if line.isprintable():
        return line
    return "".join(
        character if character.isprintable() else ascii(character)[1:-1]
        for character in line
    )
