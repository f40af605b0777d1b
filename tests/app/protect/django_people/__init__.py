#!/usr/bin/env python3
"""A Django application with a user model of its own."""
