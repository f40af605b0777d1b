#!/usr/bin/env python3
"""Vestibule beside what else a team could pick, in one run."""
