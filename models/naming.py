#!/usr/bin/env python3
"""The form in which names are searched for: pure text."""

import unicodedata

#: Characters of a name by which it can be found; an index holds as many.
LONGEST = 64


def without_marks(text: str) -> str:
    """Return `text` without what only says in which direction it runs."""
    return "".join(
        character for character in text
        if unicodedata.category(character) != "Cf"
    )


def name_key(name: str | None) -> str:
    """Return a name as it is searched for; "" where there is none."""
    seen = without_marks(name or "").casefold().split()
    return " ".join(seen)[:LONGEST]
