#!/usr/bin/env python3
"""Alembic's entry: run the migrations on the connection that is given.

The transaction is the caller's, so all steps are done or none is.
"""

from alembic import context

context.configure(connection=context.config.attributes["connection"])
context.run_migrations()
