#!/usr/bin/env python3
"""Fixtures: an application that has counted nothing yet."""

from collections.abc import Iterator

import pytest

from tests.views.conftest import build, fresh_process
from vestibule.observe.tally import tally

__all__ = ["build", "fresh_process"]


@pytest.fixture(autouse=True)
def fresh_counts() -> Iterator[None]:
    """Let each test count from the beginning."""
    tally.cache_clear()
    yield
    tally.cache_clear()
