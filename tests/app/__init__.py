#!/usr/bin/env python3
"""Tests of the application in process, over its test client."""
