#!/usr/bin/env python3
"""Number the events in the order in which they were stored.

The id of an event is its time, and an event may be stored later than
others with a higher id. A reader of all events continues by the number.
The events that exist get theirs by time.
"""

import sqlalchemy as sa
from alembic import op

from vestibule.db.column_types import RowNumber

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the column, number the events, and store the last number."""
    op.add_column("events", sa.Column("position", RowNumber))
    op.execute(
        "UPDATE events SET position = numbers.number FROM (SELECT id,"
        " row_number() OVER (ORDER BY id) AS number FROM events) AS numbers"
        " WHERE numbers.id = events.id"
    )
    op.create_index("events_position", "events", ["position"], unique=True)
    op.create_table(
        "event_positions", sa.Column("last", sa.BigInteger, nullable=False)
    )
    op.execute(
        "INSERT INTO event_positions"
        " SELECT coalesce(max(position), 0) FROM events"
    )
