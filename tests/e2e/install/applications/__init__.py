#!/usr/bin/env python3
"""Applications as integrators write them, run from the installed wheel.

Each has a `models.py` or a package `api` of its own, templates, pages for
admins and tests. They are copied into an empty folder and run there.
"""
