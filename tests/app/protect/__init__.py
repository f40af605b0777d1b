#!/usr/bin/env python3
"""Tests of what other applications use."""
