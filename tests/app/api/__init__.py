#!/usr/bin/env python3
"""Tests of the views, in this process: each route, each mechanism."""
