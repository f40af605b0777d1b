#!/usr/bin/env python3
"""Fixtures of the tests."""

pytest_plugins = ["vestibule.protect.testing"]
