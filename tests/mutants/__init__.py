#!/usr/bin/env python3
"""Faults put into the code on purpose, each of which a test must notice."""
