#!/usr/bin/env python3
"""The HTTP interface, by version."""
