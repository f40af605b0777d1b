#!/usr/bin/env python3
"""Store when a second factor was first required of a user."""

import sqlalchemy as sa
from alembic import op

from vestibule.db.column_types import UTCMoment

revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None

#: The columns whose changes count for the session cache: a cached user
#: must not begin the days of grace again.
_USER_COLUMNS = (
    "id, created_at, updated_at, email, email_key, password, first_name,"
    " last_name, role, disabled_at, first_key, last_key, email_verified_at,"
    " device_notices, factor_required_at"
)
_NEXT = "UPDATE cache_generation SET value = hex(randomblob(16));"


def upgrade() -> None:
    """Add the column; replace SQLite's trigger."""
    op.add_column("users", sa.Column("factor_required_at", UTCMoment))
    if op.get_bind().dialect.name == "sqlite":
        op.execute("DROP TRIGGER users_updated")
        op.execute(
            f"CREATE TRIGGER users_updated AFTER UPDATE OF {_USER_COLUMNS}"
            f" ON users BEGIN {_NEXT} END"
        )
