#!/usr/bin/env python3
"""Tests of the web pages, in process."""
