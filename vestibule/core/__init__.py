#!/usr/bin/env python3
"""Foundations without imports of ours: settings, clock, errors, text."""
