#!/usr/bin/env python3
"""Add second factors, logins that wait for one, and facts of sessions.

The columns of user_sessions say how the user proved who they are. Old
sessions are of users without a second factor, whose level stays 1. SQLite's
trigger counts a change of the new columns as a change of the session.
"""

import sqlalchemy as sa
from alembic import op

from vestibule.db.column_types import UTCMoment

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None

_NEXT = "UPDATE cache_generation SET value = hex(randomblob(16));"
_SESSION_COLUMNS = (
    "id, created_at, updated_at, user_id, session_digest, authenticated_at,"
    " ip, user_agent, method, network, proof_methods, second_factor_at,"
    " phishing_resistant, user_verified, recovered"
)


def upgrade() -> None:
    """Add the columns and the tables; replace SQLite's trigger."""
    op.add_column("user_sessions", sa.Column("proof_methods", sa.Text))
    op.add_column("user_sessions", sa.Column("second_factor_at", UTCMoment))
    for name in ("phishing_resistant", "user_verified", "recovered"):
        op.add_column("user_sessions", _flag(name))
    if op.get_bind().dialect.name == "sqlite":
        op.execute("DROP TRIGGER user_sessions_updated")
        op.execute(
            "CREATE TRIGGER user_sessions_updated AFTER UPDATE OF"
            f" {_SESSION_COLUMNS} ON user_sessions BEGIN {_NEXT} END"
        )
    _create_factors()
    op.create_table(
        "pending_logins",
        sa.Column("cookie_digest", sa.Text, primary_key=True),
        sa.Column("user_id", sa.Text, nullable=False),
        sa.Column("password_digest", sa.Text, nullable=False),
        sa.Column("created_at", UTCMoment, nullable=False),
    )
    op.create_index("pending_logins_user_id", "pending_logins", ["user_id"])
    op.create_index(
        "pending_logins_created_at", "pending_logins", ["created_at"]
    )


def _create_factors() -> None:
    """Create the tables of factors and of recovery codes."""
    op.create_table(
        "factors",
        sa.Column("id", sa.Text, primary_key=True),
        sa.Column("user_id", sa.Text, nullable=False),
        sa.Column("kind", sa.Text, nullable=False),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("secret", sa.Text),
        sa.Column("created_at", UTCMoment, nullable=False),
        sa.Column("confirmed_at", UTCMoment),
        sa.Column("last_used_at", UTCMoment),
        sa.Column("last_step", sa.BigInteger),
        sa.Column("failures", sa.Integer, nullable=False, server_default="0"),
        sa.Column("failed_at", UTCMoment),
    )
    op.create_index("factors_user_id", "factors", ["user_id", "created_at"])
    op.create_table(
        "recovery_codes",
        sa.Column("code_digest", sa.Text, primary_key=True),
        sa.Column("user_id", sa.Text, nullable=False),
        sa.Column("created_at", UTCMoment, nullable=False),
    )
    op.create_index("recovery_codes_user_id", "recovery_codes", ["user_id"])


def _flag(name: str) -> sa.Column[bool]:
    """Return a column that is false in the rows that exist."""
    return sa.Column(
        name, sa.Boolean, nullable=False, server_default=sa.false()
    )
