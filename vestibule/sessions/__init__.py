#!/usr/bin/env python3
"""Sessions: what one is, how long it lives, where it is, how it travels."""

import uuid


def new_session_id() -> str:
    """Return a new session id: a random UUID, 122 bits from the system."""
    return str(uuid.uuid4())
