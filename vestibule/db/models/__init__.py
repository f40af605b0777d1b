#!/usr/bin/env python3
"""Users and sessions as objects that can be saved, found and removed."""
