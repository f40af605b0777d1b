#!/usr/bin/env python3
"""The signed identity of a user, for applications behind a proxy."""
