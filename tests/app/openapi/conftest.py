#!/usr/bin/env python3
"""Fixtures: an application in this process, on a clock that stands still."""

from tests.app.api.conftest import build, fresh_process, set_clock

__all__ = ["build", "fresh_process", "set_clock"]
