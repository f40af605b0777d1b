#!/usr/bin/env python3
"""Pure text functions: search keys, display names and safe output."""

import unicodedata

#: Characters of a search key, at most; an index entry has a limited size.
MAX_NAME_KEY_LENGTH = 64


def strip_direction_marks(text: str) -> str:
    """Return `text` without format characters, such as direction marks."""
    return "".join(
        character
        for character in text
        if unicodedata.category(character) != "Cf"
    )


def name_key(name: str | None) -> str:
    """Return the search key of a name; "" without a name."""
    words = strip_direction_marks(name or "").casefold().split()
    return " ".join(words)[:MAX_NAME_KEY_LENGTH]


def display_name(
    first_name: str | None, last_name: str | None, email: str | None
) -> str:
    """Return both names, or the one there is, or the email, or ""."""
    names = [name for name in (first_name, last_name) if name]
    return " ".join(names) or email or ""


def escape_control_characters(line: str) -> str:
    """Return `line` with its control characters escaped.

    A terminal then shows it on one line and interprets nothing in it.
    """
    if line.isprintable():
        return line
    return "".join(
        character if character.isprintable() else ascii(character)[1:-1]
        for character in line
    )
