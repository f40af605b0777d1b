#!/usr/bin/env python3
"""One module's behaviour at a time."""
