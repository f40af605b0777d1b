#!/usr/bin/env python3
"""Tests of the description of the API: it is true, and it is whole."""
