#!/usr/bin/env python3
"""The steps by which a database came to its schema, run by Alembic."""
