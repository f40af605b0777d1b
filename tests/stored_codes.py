#!/usr/bin/env python3
"""Reset codes to store in tests, by their digests."""

from datetime import timedelta

from vestibule.core import clock
from vestibule.db.codes import NewCode


def new_code(digest: str) -> NewCode:
    """Return a code with this digest that is valid for an hour from now."""
    now = clock.now()
    return NewCode(digest, now, now + timedelta(hours=1), None)
