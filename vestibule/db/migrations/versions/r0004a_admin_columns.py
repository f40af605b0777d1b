#!/usr/bin/env python3
"""Add the columns for the admin lists, still empty, and hourly counts.

Revision 0005 fills the columns in batches between this transaction and its
own, so that an upgrade that was interrupted continues where it stopped.
"""

import sqlalchemy as sa
from alembic import op

from vestibule.db.column_types import SortableText, UTCMoment

revision = "0004a"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the columns and the table."""
    for name in ("first_key", "last_key"):
        op.add_column(
            "users",
            sa.Column(name, SortableText, nullable=False, server_default=""),
        )
    op.add_column("users", sa.Column("signed_in_at", UTCMoment))
    op.add_column("user_sessions", sa.Column("network", sa.Text))
    op.create_table(
        "hourly",
        sa.Column("hour", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("name", sa.Text, primary_key=True),
        sa.Column("amount", sa.BigInteger, nullable=False),
    )
    if op.get_bind().dialect.name == "postgresql":
        op.alter_column("users", "email_key", type_=SortableText)
