#!/usr/bin/env python3
"""Fixtures: an application with pages."""

import pytest

from tests.app.api.conftest import (
    Build,
    build,
    fresh_process,
    logged,
    security_lines,
)
from tests.app.api.service import Service

__all__ = [
    "build",
    "fresh_process",
    "logged",
    "security_lines",
]


@pytest.fixture
def service(build: Build) -> Service:
    """Return a service with pages and sessions in its database."""
    return build("session_db_auth", WEB_PAGES="on")
