#!/usr/bin/env python3
"""Tests that the OpenAPI document is correct and complete."""
