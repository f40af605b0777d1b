#!/usr/bin/env python3
"""The HTTP API, at the paths that scripts import."""
