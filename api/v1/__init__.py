#!/usr/bin/env python3
"""Version 1 of the HTTP API, at the paths that scripts import."""
