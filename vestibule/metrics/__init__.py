#!/usr/bin/env python3
"""What the service tells its operator."""
