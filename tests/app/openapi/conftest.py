#!/usr/bin/env python3
"""Fixtures: an application in process, with a stopped clock."""

from tests.app.api.conftest import build, fresh_process

__all__ = ["build", "fresh_process"]
