#!/usr/bin/env python3
"""The guide, done as it stands: what is shown is run, and is complete."""
