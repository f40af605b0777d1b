#!/usr/bin/env python3
"""Add passkeys, the handles of their users, and challenges."""

import sqlalchemy as sa
from alembic import op

from vestibule.db.column_types import UTCMoment

revision = "0017"
down_revision = "0016"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create the tables."""
    op.create_table(
        "passkeys",
        sa.Column("factor_id", sa.Text, primary_key=True),
        sa.Column("user_id", sa.Text, nullable=False),
        sa.Column("credential_id", sa.Text, nullable=False),
        sa.Column("public_key", sa.Text, nullable=False),
        sa.Column("sign_count", sa.BigInteger, nullable=False),
        sa.Column("backup_eligible", sa.Boolean, nullable=False),
        sa.Column("backed_up", sa.Boolean, nullable=False),
        sa.Column("transports", sa.Text, nullable=False, server_default=""),
        sa.Column("rp_id", sa.Text, nullable=False),
    )
    op.create_index(
        "passkeys_credential_id", "passkeys", ["credential_id"], unique=True
    )
    op.create_index("passkeys_user_id", "passkeys", ["user_id"])
    op.create_table(
        "passkey_handles",
        sa.Column("user_id", sa.Text, primary_key=True),
        sa.Column("handle", sa.Text, nullable=False, unique=True),
    )
    op.create_table(
        "passkey_challenges",
        sa.Column("challenge_digest", sa.Text, primary_key=True),
        sa.Column("purpose", sa.Text, nullable=False),
        sa.Column("user_id", sa.Text),
        sa.Column("network", sa.Text),
        sa.Column("created_at", UTCMoment, nullable=False),
    )
    op.create_index(
        "passkey_challenges_user_id", "passkey_challenges", ["user_id"]
    )
    op.create_index(
        "passkey_challenges_network",
        "passkey_challenges",
        ["network", "created_at"],
    )
    op.create_index(
        "passkey_challenges_created_at", "passkey_challenges", ["created_at"]
    )
