#!/usr/bin/env python3
"""The mechanisms, at the paths that scripts import."""
