#!/usr/bin/env python3
"""The real server: bad input, bad days, its start and end."""
