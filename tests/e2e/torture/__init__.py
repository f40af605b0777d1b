#!/usr/bin/env python3
"""Kills and races, survived."""
