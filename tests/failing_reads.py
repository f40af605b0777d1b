#!/usr/bin/env python3
"""A database that fails while events are read."""

from typing import Any

import pytest

from vestibule.db import events


def fail_second_read(given: pytest.MonkeyPatch, error: BaseException) -> None:
    """Let exports read two events at a time and fail at the second read."""
    given.setattr("vestibule.audit.export.EXPORT_BATCH_SIZE", 2)
    found = events.fetch_page

    def failing(wanted: Any, most: int, before: int | None = None) -> Any:
        """Fail unless it is the first read."""
        if before is not None:
            raise error
        return found(wanted, most, before)

    given.setattr(events, "fetch_page", failing)
