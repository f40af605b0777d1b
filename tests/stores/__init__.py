#!/usr/bin/env python3
"""What all mechanisms, and all databases, must do alike."""
