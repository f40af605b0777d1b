#!/usr/bin/env python3
"""The application of the project."""
