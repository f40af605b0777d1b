#!/usr/bin/env python3
"""The database: engine, tables, migrations, models and queries."""
