#!/usr/bin/env python3
"""The queries behind the admin pages and the admin API."""
