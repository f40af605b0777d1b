#!/usr/bin/env python3
"""Counters of requests, events and worker exits, and their exposition."""
