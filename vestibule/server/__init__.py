#!/usr/bin/env python3
"""The server: granian, its worker processes and the startup checks."""
