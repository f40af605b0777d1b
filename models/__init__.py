#!/usr/bin/env python3
"""Users and sessions as objects; all SQL of the project is behind here."""
