#!/usr/bin/env python3
"""A service for users, logins and sessions."""

#: The version of the whole; the package that is built has it from here.
__version__ = "0.1.0"
