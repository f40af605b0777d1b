#!/usr/bin/env python3
"""The front hall of an API: its rules, apart from HTTP and SQL."""
