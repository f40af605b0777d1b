#!/usr/bin/env python3
"""Tests of the pages for people, over HTTP."""
