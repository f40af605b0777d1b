#!/usr/bin/env python3
"""Fixtures: an application that has counted nothing yet."""

from collections.abc import Iterator

import pytest

from tests.app.api.conftest import build, fresh_process
from vestibule.metrics.counters import counters

__all__ = ["build", "fresh_process"]


@pytest.fixture(autouse=True)
def fresh_counts() -> Iterator[None]:
    """Let each test count from the beginning."""
    counters.cache_clear()
    yield
    counters.cache_clear()
