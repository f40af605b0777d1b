#!/usr/bin/env python3
"""One module for each migration; a released migration never changes."""
