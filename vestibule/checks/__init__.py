#!/usr/bin/env python3
"""Checks of a deployment: at each start, by `doctor`, and from outside."""
