#!/usr/bin/env python3
"""Tests of the pages in a browser, as people use them."""
