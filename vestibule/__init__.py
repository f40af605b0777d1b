#!/usr/bin/env python3
"""The front hall of an API: its rules, apart from HTTP and SQL."""

#: The version of the whole; the package that is built has it from here.
__version__ = "0.1.0"
