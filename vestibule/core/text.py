#!/usr/bin/env python3
"""Pure text functions: search keys, display names and safe output."""

import unicodedata

#: Characters of a search key, at most; an index entry has a limited size.
MAX_NAME_KEY_LENGTH = 64
#: The zero-width non-joiner and joiner: Persian and Indic names have them,
#: and so have emoji of several parts.
_JOINERS = "\u200c\u200d"
#: Spaces, unassigned characters, and those of private use.
_SHOWN_CATEGORIES = frozenset({"Zs", "Cn", "Co"})
#: The invisible letters in the flags of regions.
_FIRST_TAG, _LAST_TAG = "\U000e0020", "\U000e007f"


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

    A terminal then shows it on one line and interprets nothing in it. What
    writing needs stays as it is: spaces of all kinds, the joiners of
    scripts and emoji, and characters that are newer than this Python.
    Direction marks are escaped: they could reorder a line.
    """
    if line.isprintable():
        return line
    return "".join(
        character if _is_harmless(character) else ascii(character)[1:-1]
        for character in line
    )


def _is_harmless(character: str) -> bool:
    """Return True if a terminal only shows the character."""
    return (
        character.isprintable()
        or character in _JOINERS
        or unicodedata.category(character) in _SHOWN_CATEGORIES
        or _FIRST_TAG <= character <= _LAST_TAG
    )
