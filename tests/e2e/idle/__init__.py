#!/usr/bin/env python3
"""Servers that get no request for a long time."""
