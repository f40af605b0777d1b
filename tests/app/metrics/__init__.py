#!/usr/bin/env python3
"""Tests of what machines ask: is it alive, is it ready, how busy."""
