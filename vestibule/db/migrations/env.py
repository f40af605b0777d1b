#!/usr/bin/env python3
"""Alembic's entry point: run the migrations on the caller's connection.

The transaction is the caller's too, so all migrations run or none does.
"""

from alembic import context

_given = context.config.attributes
context.configure(
    connection=_given["connection"], version_table=_given["version_table"]
)
context.run_migrations()
