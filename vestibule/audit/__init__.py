#!/usr/bin/env python3
"""The security log, its copy in the database, and its export."""
