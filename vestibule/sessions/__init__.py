#!/usr/bin/env python3
"""Sessions: what one is, how long it lives, where it is, how it travels."""

import secrets
import uuid

from vestibule.core import settings


def new_session_id() -> str:
    """Return a new session id from the system's randomness.

    A UUID has 122 bits, a secret of 256 bits more than ASVS 7.2.3 asks
    for; `SESSION_TOKEN` chooses.
    """
    if settings.SESSION_TOKEN.read() == "secret256":
        return secrets.token_urlsafe(32)
    return str(uuid.uuid4())
