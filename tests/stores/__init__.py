#!/usr/bin/env python3
"""Tests that run over each session store and each database."""
