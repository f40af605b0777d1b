#!/usr/bin/env python3
"""Sessions: what one is, how long it lives, its stores and its cookie."""
