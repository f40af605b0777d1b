#!/usr/bin/env python3
"""Tests of health, readiness and metrics."""
