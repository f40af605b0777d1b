#!/usr/bin/env python3
"""OWASP ASVS 5.0.0, requirement by requirement, against a real server."""
