#!/usr/bin/env python3
"""Add sessions of applications' hosts, and the stored rules of sessions.

A row of host_sessions or host_codes is deleted with its parent session: by
a foreign key on PostgreSQL, and by triggers on SQLite, where foreign keys
are off. A deleted or changed row of host_sessions changes the generation
of the session cache, as a deleted session does.
"""

import sqlalchemy as sa
from alembic import op

from vestibule.db.column_types import UTCMoment

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None

_NEXT = "UPDATE cache_generation SET value = hex(randomblob(16));"
_SQLITE_TRIGGERS = {
    "user_sessions_deleted_hosts": (
        "AFTER DELETE ON user_sessions BEGIN"
        " DELETE FROM host_sessions WHERE parent_id = OLD.id;"
        " DELETE FROM host_codes WHERE parent_id = OLD.id; END"
    ),
    # INSERT OR REPLACE does not fire the triggers for deletes.
    "user_sessions_replaced_hosts": (
        "BEFORE INSERT ON user_sessions WHEN EXISTS"
        " (SELECT 1 FROM host_sessions WHERE parent_id = NEW.id) BEGIN"
        " DELETE FROM host_sessions WHERE parent_id = NEW.id; END"
    ),
    "host_sessions_replaced": (
        "BEFORE INSERT ON host_sessions WHEN EXISTS (SELECT 1 FROM"
        " host_sessions WHERE session_digest = NEW.session_digest)"
        f" BEGIN {_NEXT} END"
    ),
    "host_sessions_updated": (
        f"AFTER UPDATE ON host_sessions BEGIN {_NEXT} END"
    ),
    "host_sessions_deleted": (
        f"AFTER DELETE ON host_sessions BEGIN {_NEXT} END"
    ),
}


def upgrade() -> None:
    """Create the three tables, and the triggers of SQLite."""
    op.create_table(
        "host_sessions",
        sa.Column("session_digest", sa.Text, primary_key=True),
        _parent(),
        sa.Column("host", sa.Text, nullable=False),
        sa.Column("created_at", UTCMoment, nullable=False),
    )
    op.create_index(
        "host_sessions_parent_id",
        "host_sessions",
        ["parent_id", "host", "created_at"],
    )
    op.create_table(
        "host_codes",
        sa.Column("code_digest", sa.Text, primary_key=True),
        _parent(),
        sa.Column("host", sa.Text, nullable=False),
        sa.Column("state_digest", sa.Text, nullable=False),
        sa.Column("return_path", sa.Text, nullable=False),
        sa.Column("created_at", UTCMoment, nullable=False),
    )
    op.create_index("host_codes_parent_id", "host_codes", ["parent_id"])
    op.create_index("host_codes_created_at", "host_codes", ["created_at"])
    op.create_table(
        "session_rules",
        sa.Column("name", sa.Text, primary_key=True),
        sa.Column("value", sa.Text, nullable=False),
    )
    if op.get_bind().dialect.name == "sqlite":
        for name, rest in _SQLITE_TRIGGERS.items():
            op.execute(f"CREATE TRIGGER {name} {rest}")


def _parent() -> sa.Column[str]:
    """Return the column with the id of the session that a row hangs on."""
    return sa.Column(
        "parent_id",
        sa.Text,
        sa.ForeignKey("user_sessions.id", ondelete="CASCADE"),
        nullable=False,
    )
