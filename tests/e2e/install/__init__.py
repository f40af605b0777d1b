#!/usr/bin/env python3
"""Tests of the commands as programs: at a terminal, in a pipe, installed."""
