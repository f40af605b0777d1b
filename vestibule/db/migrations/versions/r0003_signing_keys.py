#!/usr/bin/env python3
"""Add the keys that sign identity tokens for forward authentication."""

import sqlalchemy as sa
from alembic import op

from vestibule.db.column_types import UTCMoment

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create the table."""
    op.create_table(
        "signing_keys",
        sa.Column("id", sa.Text, primary_key=True),
        sa.Column("created_at", UTCMoment, nullable=False),
        sa.Column("private_key", sa.Text, nullable=False),
    )
