#!/usr/bin/env python3
"""Make it cheap to record that a session was used.

No index has the column last_seen_at any more, and pages of PostgreSQL keep
room for another version of a row. So an update of that column alone writes
no index there (a HOT update).

SQLite gets a generation, a random value that its triggers replace when a
program changes a user or a session otherwise. The session cache
(`vestibule.mechanisms.session_cache`) is valid for one generation. Triggers
see the writes of all programs, a database shell included.
"""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

#: Percent of a page of PostgreSQL that inserts fill.
FILL_PERCENT = 75
_NEXT = "UPDATE cache_generation SET value = hex(randomblob(16));"
#: The columns whose changes count. A session's last_seen_at and a user's
#: signed_in_at change often, and do not decide who may pass.
_USER_COLUMNS = (
    "id, created_at, updated_at, email, email_key, password, first_name,"
    " last_name, role, disabled_at, first_key, last_key"
)
_SESSION_COLUMNS = (
    "id, created_at, updated_at, user_id, session_digest, authenticated_at,"
    " ip, user_agent, method, network"
)
#: An insert counts only if it replaces a row (INSERT OR REPLACE): that does
#: not fire the triggers for deletes.
_SQLITE_TRIGGERS = {
    "users_replaced": (
        "BEFORE INSERT ON users WHEN EXISTS (SELECT 1 FROM users"
        " WHERE id = NEW.id OR email_key = NEW.email_key)"
    ),
    "users_updated": f"AFTER UPDATE OF {_USER_COLUMNS} ON users",
    "users_deleted": "AFTER DELETE ON users",
    "user_sessions_replaced": (
        "BEFORE INSERT ON user_sessions WHEN EXISTS"
        " (SELECT 1 FROM user_sessions WHERE id = NEW.id)"
    ),
    "user_sessions_updated": (
        f"AFTER UPDATE OF {_SESSION_COLUMNS} ON user_sessions"
    ),
    "user_sessions_deleted": "AFTER DELETE ON user_sessions",
}


def upgrade() -> None:
    """Drop the index; create the generation with its triggers."""
    op.drop_index("user_sessions_last_seen_at", "user_sessions")
    if op.get_bind().dialect.name != "sqlite":
        op.execute(
            f"ALTER TABLE user_sessions SET (fillfactor = {FILL_PERCENT})"
        )
        return
    op.create_table(
        "cache_generation",
        sa.Column("value", sa.Text, nullable=False),
    )
    op.execute("INSERT INTO cache_generation VALUES (hex(randomblob(16)))")
    for name, event in _SQLITE_TRIGGERS.items():
        op.execute(f"CREATE TRIGGER {name} {event} BEGIN {_NEXT} END")
