#!/usr/bin/env python3
"""Version 1 of the HTTP API: the application, its views, its description."""
