#!/usr/bin/env python3
"""The form in which names are searched for: pure text.

What somebody is called where people read it.

How any text is shown on one line that does nothing to a terminal.
"""

import unicodedata

#: Characters of a name by which it can be found; an index holds as many.
MAX_NAME_KEY_LENGTH = 64


def strip_direction_marks(text: str) -> str:
    """Return `text` without what only says in which direction it runs."""
    return "".join(
        character
        for character in text
        if unicodedata.category(character) != "Cf"
    )


def name_key(name: str | None) -> str:
    """Return a name as it is searched for; "" where there is none."""
    seen = strip_direction_marks(name or "").casefold().split()
    return " ".join(seen)[:MAX_NAME_KEY_LENGTH]


def display_name(
    first_name: str | None, last_name: str | None, email: str | None
) -> str:
    """Return the names, or the one there is, or the email, or ""."""
    names = [name for name in (first_name, last_name) if name]
    return " ".join(names) or email or ""


def escape_control_characters(line: str) -> str:
    """Return `line` with its control characters made visible."""
    if line.isprintable():
        return line
    return "".join(
        character if character.isprintable() else ascii(character)[1:-1]
        for character in line
    )
