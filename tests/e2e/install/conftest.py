#!/usr/bin/env python3
"""Fixtures: the wheel, and an environment for each choice of extras."""

from collections.abc import Callable
from functools import cache, partial
from pathlib import Path

import pytest

from tests.e2e.install.bare import Bare
from tests.e2e.install.wheels import build, installed_with

#: The applications run their own tests, outside this tree.
collect_ignore = ["applications"]


@pytest.fixture(scope="session")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Build the wheel; return its path."""
    return build(tmp_path_factory.mktemp("build"))


@pytest.fixture(scope="session")
def environments(wheel: Path) -> Callable[[str], Bare]:
    """Return a function that installs the wheel with some extras, once."""
    return cache(partial(installed_with, wheel))
