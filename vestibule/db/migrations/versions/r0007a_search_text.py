#!/usr/bin/env python3
"""Add the text that a search looks through, and the index of its trigrams.

SQLite keeps the trigrams in a full-text table that triggers update, so the
writes of all programs count, a database shell included. It has no copy of
the text. An SQLite without FTS5's trigrams gets none of it, and
PostgreSQL only a column here: a search scans then, see
`vestibule.db.user_search`.
"""

import sqlalchemy as sa
from alembic import op

revision = "0007a"
down_revision = "0007"
branch_labels = None
depends_on = None

_NUMBER = "(SELECT number FROM user_numbers WHERE user_id = {}.id)"
_ADD = (
    "INSERT INTO user_search (rowid, search_text)"
    f" VALUES ({_NUMBER.format('NEW')}, NEW.search_text);"
)
#: A table without content must be told the text that it forgets.
_FORGET = (
    "INSERT INTO user_search (user_search, rowid, search_text)"
    f" VALUES ('delete', {_NUMBER.format('OLD')}, OLD.search_text);"
)
_TRIGGERS = {
    # REPLACE, for a row that INSERT OR REPLACE of a shell has left.
    "users_search_added": (
        "AFTER INSERT ON users BEGIN INSERT OR REPLACE INTO"
        f" user_numbers (user_id) VALUES (NEW.id); {_ADD} END"
    ),
    "users_search_changed": (
        "AFTER UPDATE OF search_text ON users"
        " WHEN OLD.search_text <> NEW.search_text"
        f" BEGIN {_FORGET} {_ADD} END"
    ),
    "users_search_removed": (
        f"AFTER DELETE ON users BEGIN {_FORGET}"
        " DELETE FROM user_numbers WHERE user_id = OLD.id; END"
    ),
}


def upgrade() -> None:
    """Add the column, and the full-text table with its triggers."""
    column = sa.Column(
        "search_text", sa.Text, nullable=False, server_default=""
    )
    op.add_column("users", column)
    if op.get_bind().dialect.name != "sqlite":
        return
    op.create_table(
        "user_numbers",
        sa.Column("number", sa.Integer, primary_key=True),
        sa.Column("user_id", sa.Text, nullable=False, unique=True),
    )
    if not _create_trigrams():
        return
    op.execute(
        "INSERT INTO user_numbers (user_id)"
        " SELECT id FROM users ORDER BY created_at, id"
    )
    op.execute(
        "INSERT INTO user_search (rowid, search_text)"
        " SELECT number, '' FROM user_numbers"
    )
    for name, event in _TRIGGERS.items():
        op.execute(f"CREATE TRIGGER {name} {event}")


def _create_trigrams() -> bool:
    """Create the full-text table; return False if SQLite has no trigrams."""
    try:
        op.execute(
            "CREATE VIRTUAL TABLE user_search USING fts5(search_text,"
            " content='', columnsize=0, detail=none,"
            " tokenize='trigram case_sensitive 1')"
        )
    except sa.exc.DBAPIError:
        return False
    return True
