#!/usr/bin/env python3
"""The rules of this repository."""
