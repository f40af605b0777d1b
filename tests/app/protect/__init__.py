#!/usr/bin/env python3
"""Tests of `vestibule.protect`, which other applications use."""
