#!/usr/bin/env python3
"""Users and sessions, at the paths that scripts import."""
