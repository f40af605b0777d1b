#!/usr/bin/env python3
"""The migrations of the schema, run by Alembic."""
