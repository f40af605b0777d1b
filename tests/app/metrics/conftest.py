#!/usr/bin/env python3
"""Fixtures: an application whose counters are zero."""

from collections.abc import Iterator

import pytest

from tests.app.api.conftest import build, fresh_process
from vestibule.metrics.counters import counters

__all__ = ["build", "fresh_process"]


@pytest.fixture(autouse=True)
def fresh_counts() -> Iterator[None]:
    """Start each test with counters at zero."""
    counters.cache_clear()
    yield
    counters.cache_clear()
