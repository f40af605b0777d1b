#!/usr/bin/env python3
"""Tests of what the comparison with peers computes by itself."""
