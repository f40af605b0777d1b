#!/usr/bin/env python3
"""Create users, with a unique email key, and user_sessions."""

import sqlalchemy as sa
from alembic import op

from vestibule.db.column_types import UTCMoment

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create both tables with their indexes."""
    op.create_table(
        "users",
        sa.Column("id", sa.Text, primary_key=True),
        sa.Column("created_at", UTCMoment, nullable=False),
        sa.Column("updated_at", UTCMoment, nullable=False),
        sa.Column("email", sa.Text),
        sa.Column("email_key", sa.Text),
        sa.Column("password", sa.Text),
        sa.Column("first_name", sa.Text),
        sa.Column("last_name", sa.Text),
    )
    op.create_index("users_email_key", "users", ["email_key"], unique=True)
    op.create_table(
        "user_sessions",
        sa.Column("id", sa.Text, primary_key=True),
        sa.Column("created_at", UTCMoment, nullable=False),
        sa.Column("updated_at", UTCMoment, nullable=False),
        sa.Column("user_id", sa.Text),
        sa.Column("session_digest", sa.Text),
    )
    for column in ("session_digest", "user_id", "created_at"):
        op.create_index(f"user_sessions_{column}", "user_sessions", [column])
