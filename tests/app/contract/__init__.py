#!/usr/bin/env python3
"""Tests of the contract: transcripts and responses of the API."""
