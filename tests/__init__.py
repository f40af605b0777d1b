#!/usr/bin/env python3
"""The tests of Vestibule, by the level at which they run."""
