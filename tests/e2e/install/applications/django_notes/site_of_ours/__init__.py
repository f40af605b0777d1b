#!/usr/bin/env python3
"""The project."""
