#!/usr/bin/env python3
"""The notes of users, in memory, by the id at Vestibule."""

NOTES: dict[str, list[str]] = {}
