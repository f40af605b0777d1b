#!/usr/bin/env python3
"""One module for each step; a step that was released never changes."""
