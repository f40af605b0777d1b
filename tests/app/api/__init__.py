#!/usr/bin/env python3
"""Tests of the API's views in process, with each mechanism."""
