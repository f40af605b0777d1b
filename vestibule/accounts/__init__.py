#!/usr/bin/env python3
"""The rules for accounts, each written once and used by API, pages and CLI."""
