#!/usr/bin/env python3
"""Store when a reset code expires and who issued it.

Codes lived for an hour; those that exist keep that time.
"""

from datetime import timedelta

import sqlalchemy as sa
from alembic import op

from vestibule.db.column_types import UTCMoment

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None

_LIFETIME = timedelta(hours=1)


def upgrade() -> None:
    """Add the columns, fill the first, and index the list of codes."""
    op.add_column("reset_codes", sa.Column("expires_at", UTCMoment))
    op.add_column("reset_codes", sa.Column("by_id", sa.Text))
    codes = sa.table(
        "reset_codes",
        sa.column("user_id", sa.Text),
        sa.column("created_at", UTCMoment),
        sa.column("expires_at", UTCMoment),
    )
    connection = op.get_bind()
    for row in connection.execute(sa.select(codes)).all():
        connection.execute(
            codes.update()
            .where(codes.c.user_id == row.user_id)
            .values(expires_at=row.created_at + _LIFETIME)
        )
    op.create_index(
        "reset_codes_created_at", "reset_codes", ["created_at", "user_id"]
    )
