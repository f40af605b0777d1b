#!/usr/bin/env python3
"""Alembic's entry point: run the migrations on the caller's connection.

The transaction is the caller's too, so all migrations run or none does.
"""

from alembic import context

context.configure(connection=context.config.attributes["connection"])
context.run_migrations()
