#!/usr/bin/env python3
"""Fixtures: an application with pages, as browsers visit it."""

from tests.app.api.conftest import (
    build,
    fresh_process,
    logged,
    security_lines,
    set_clock,
)

__all__ = [
    "build",
    "fresh_process",
    "logged",
    "security_lines",
    "set_clock",
]
