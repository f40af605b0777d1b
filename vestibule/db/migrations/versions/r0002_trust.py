#!/usr/bin/env python3
"""Add roles, details of sessions, end reasons, failures, reset codes."""

import sqlalchemy as sa
from alembic import op

from vestibule.db.column_types import UTCMoment

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the columns, then the tables."""
    op.add_column(
        "users",
        sa.Column("role", sa.Text, nullable=False, server_default="member"),
    )
    op.add_column("users", sa.Column("disabled_at", UTCMoment))
    for column in ("last_seen_at", "authenticated_at"):
        op.add_column("user_sessions", sa.Column(column, UTCMoment))
    for column in ("ip", "user_agent", "method"):
        op.add_column("user_sessions", sa.Column(column, sa.Text))
    op.create_index(
        "user_sessions_last_seen_at", "user_sessions", ["last_seen_at"]
    )
    op.create_table(
        "ended_sessions",
        sa.Column("session_digest", sa.Text, primary_key=True),
        sa.Column("reason", sa.Text, nullable=False),
        sa.Column("ended_at", UTCMoment, nullable=False),
    )
    op.create_index("ended_sessions_ended_at", "ended_sessions", ["ended_at"])
    op.create_table(
        "failures",
        sa.Column("key", sa.Text, primary_key=True),
        sa.Column("count", sa.Integer, nullable=False),
        sa.Column("last_at", UTCMoment, nullable=False),
    )
    op.create_index("failures_last_at", "failures", ["last_at"])
    op.create_table(
        "reset_codes",
        sa.Column("user_id", sa.Text, primary_key=True),
        sa.Column("code_digest", sa.Text, nullable=False),
        sa.Column("created_at", UTCMoment, nullable=False),
    )
