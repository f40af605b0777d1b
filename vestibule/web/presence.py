#!/usr/bin/env python3
"""Whether there are pages: light enough for the command line to ask."""

from api.v1.auth.session_auth import SessionAuth
from vestibule import settings


def has_pages(mechanism: type | None) -> bool:
    """Tell whether pages are on: they are of no use without sessions."""
    return (
        settings.WEB_PAGES.read()
        and mechanism is not None
        and issubclass(mechanism, SessionAuth)
    )
