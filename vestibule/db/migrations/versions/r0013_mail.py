#!/usr/bin/env python3
"""Store mails to send, the tokens of their links, and confirmed addresses."""

import sqlalchemy as sa
from alembic import op

from vestibule.db.column_types import UTCMoment

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None

#: The columns whose changes count for the session cache, as in revision
#: 0006: verify says whether an email is confirmed, and the account page
#: whether notices are sent.
_USER_COLUMNS = (
    "id, created_at, updated_at, email, email_key, password, first_name,"
    " last_name, role, disabled_at, first_key, last_key, email_verified_at,"
    " device_notices"
)
_NEXT = "UPDATE cache_generation SET value = hex(randomblob(16));"


def upgrade() -> None:
    """Create the tables, and add the columns of users."""
    op.add_column("users", sa.Column("email_verified_at", UTCMoment))
    op.add_column("users", sa.Column("language", sa.Text))
    op.add_column(
        "users",
        sa.Column(
            "device_notices",
            sa.Boolean,
            nullable=False,
            server_default=sa.true(),
        ),
    )
    if op.get_bind().dialect.name == "sqlite":
        op.execute("DROP TRIGGER users_updated")
        op.execute(
            f"CREATE TRIGGER users_updated AFTER UPDATE OF {_USER_COLUMNS}"
            f" ON users BEGIN {_NEXT} END"
        )
    _create_queue()
    _create_tokens()


def _create_queue() -> None:
    """Create the tables of known devices and of mails."""
    op.create_table(
        "known_devices",
        sa.Column("user_id", sa.Text, primary_key=True),
        sa.Column("device_digest", sa.Text, primary_key=True),
        sa.Column("seen_at", UTCMoment, nullable=False),
    )
    op.create_index("known_devices_seen_at", "known_devices", ["seen_at"])
    op.create_table(
        "outgoing_mails",
        sa.Column("id", sa.Text, primary_key=True),
        sa.Column("created_at", UTCMoment, nullable=False),
        sa.Column("kind", sa.Text, nullable=False),
        sa.Column("user_id", sa.Text),
        sa.Column("address", sa.Text, nullable=False),
        sa.Column("address_key", sa.Text, nullable=False),
        sa.Column("network", sa.Text),
        sa.Column("language", sa.Text),
        sa.Column("detail", sa.Text, nullable=False, server_default="{}"),
        sa.Column("state", sa.Text, nullable=False, server_default="queued"),
        sa.Column("due_at", UTCMoment, nullable=False),
        sa.Column("expires_at", UTCMoment, nullable=False),
        sa.Column("leased_until", UTCMoment),
        sa.Column("tries", sa.Integer, nullable=False, server_default="0"),
        sa.Column("error", sa.Text),
        sa.Column("sent_at", UTCMoment),
    )
    for name, columns in (
        ("outgoing_mails_state", ["state", "due_at"]),
        ("outgoing_mails_address", ["address_key", "created_at"]),
        ("outgoing_mails_network", ["network", "created_at"]),
        ("outgoing_mails_user", ["user_id", "created_at"]),
        ("outgoing_mails_sent_at", ["sent_at"]),
    ):
        op.create_index(name, "outgoing_mails", columns)


def _create_tokens() -> None:
    """Create the table of the tokens of links."""
    op.create_table(
        "mail_tokens",
        sa.Column("token_digest", sa.Text, primary_key=True),
        sa.Column("created_at", UTCMoment, nullable=False),
        sa.Column("expires_at", UTCMoment, nullable=False),
        sa.Column("purpose", sa.Text, nullable=False),
        sa.Column("user_id", sa.Text, nullable=False),
        sa.Column("address", sa.Text, nullable=False),
        sa.Column("code_digest", sa.Text),
        sa.Column("code_expires_at", UTCMoment),
        sa.Column(
            "code_tries", sa.Integer, nullable=False, server_default="0"
        ),
        sa.Column("browser_digest", sa.Text),
    )
    op.create_index("mail_tokens_user", "mail_tokens", ["user_id", "purpose"])
    op.create_index("mail_tokens_expires_at", "mail_tokens", ["expires_at"])
