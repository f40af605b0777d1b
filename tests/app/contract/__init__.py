#!/usr/bin/env python3
"""The transcripts and answers that clients rely on."""
