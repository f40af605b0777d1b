#!/usr/bin/env python3
"""The tests: units, contracts, the mission, HTTP, and the house rules."""
