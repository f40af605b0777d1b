#!/usr/bin/env python3
"""The schema as SQLAlchemy tables, but those of second factors.

The migrations create the schema; a test compares it with the tables.
"""

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    ForeignKey,
    Index,
    Integer,
    Table,
    Text,
    false,
    true,
)

import vestibule.db.factor_tables  # noqa: F401
from vestibule.db.column_types import (
    METADATA,
    RowNumber,
    SortableText,
    UTCMoment,
)

#: The revision that this code works with. A test compares it with the
#: migrations, and the server at its start with the database.
REVISION = "0017"

USERS = Table(
    "users",
    METADATA,
    Column("id", Text, primary_key=True),
    Column("created_at", UTCMoment, nullable=False),
    Column("updated_at", UTCMoment, nullable=False),
    Column("email", Text),
    Column("email_key", SortableText),
    Column("password", Text),
    Column("first_name", Text),
    Column("last_name", Text),
    Column("role", Text, nullable=False, server_default="member"),
    Column("disabled_at", UTCMoment),
    # The names in the form by which they are sorted.
    Column("first_key", SortableText, nullable=False, server_default=""),
    Column("last_key", SortableText, nullable=False, server_default=""),
    # The last login; `vestibule.db.events` writes it with the event.
    Column("signed_in_at", UTCMoment),
    # The email and the names in the form in which they are searched; see
    # revision 0007a for the index of its trigrams.
    Column("search_text", Text, nullable=False, server_default=""),
    # When the user opened the link of a mail to this email.
    Column("email_verified_at", UTCMoment),
    # The language of mails to the user.
    Column("language", Text),
    # Whether a sign-in with a new device is told by mail.
    Column("device_notices", Boolean, nullable=False, server_default=true()),
    # When a second factor was first required of the user.
    Column("factor_required_at", UTCMoment),
    Index("users_email_key", "email_key", unique=True),
    # One index for each filter and column of an admin's list; the last
    # columns are those of the cursor of a page.
    Index("users_created_at", "created_at", "id"),
    Index("users_role", "role", "created_at", "id"),
    Index("users_disabled_at", "disabled_at", "id"),
    Index("users_signed_in_at", "signed_in_at", "created_at", "id"),
    Index("users_last_key", "last_key", "first_key", "id"),
)

# No foreign key to users: scripts store sessions of users that do not
# exist. `User.remove` deletes a user and its sessions in one transaction.
USER_SESSIONS = Table(
    "user_sessions",
    METADATA,
    Column("id", Text, primary_key=True),
    Column("created_at", UTCMoment, nullable=False),
    Column("updated_at", UTCMoment, nullable=False),
    Column("user_id", Text),
    Column("session_digest", Text),
    Column("last_seen_at", UTCMoment),
    Column("authenticated_at", UTCMoment),
    Column("ip", Text),
    Column("user_agent", Text),
    Column("method", Text),
    # The network that counts as one client.
    Column("network", Text),
    # How the user proved who they are; see `vestibule.sessions.facts`.
    Column("proof_methods", Text),
    Column("second_factor_at", UTCMoment),
    Column(
        "phishing_resistant", Boolean, nullable=False, server_default=false()
    ),
    Column("user_verified", Boolean, nullable=False, server_default=false()),
    Column("recovered", Boolean, nullable=False, server_default=false()),
    Index("user_sessions_session_digest", "session_digest"),
    # For a page of a user's sessions, however many there are.
    Index("user_sessions_user_id", "user_id", "created_at"),
    # No index has last_seen_at: it changes with the use of a session.
    # A session expires a set time after its creation, so this index is the
    # one for expiry, and stays valid when SESSION_DURATION is changed.
    Index("user_sessions_created_at", "created_at", "id"),
    Index("user_sessions_network", "network", "created_at", "id"),
)

# The sessions of applications' hosts. Each is one more secret id of the
# session that it hangs on, its parent: it has no times and no user of its
# own, and cannot outlive the parent. SQLite deletes it by a trigger.
HOST_SESSIONS = Table(
    "host_sessions",
    METADATA,
    Column("session_digest", Text, primary_key=True),
    Column(
        "parent_id",
        Text,
        ForeignKey("user_sessions.id", ondelete="CASCADE"),
        nullable=False,
    ),
    Column("host", Text, nullable=False),
    Column("created_at", UTCMoment, nullable=False),
    Index("host_sessions_parent_id", "parent_id", "host", "created_at"),
)

# One-time codes by which an application's host gets its session.
HOST_CODES = Table(
    "host_codes",
    METADATA,
    Column("code_digest", Text, primary_key=True),
    Column(
        "parent_id",
        Text,
        ForeignKey("user_sessions.id", ondelete="CASCADE"),
        nullable=False,
    ),
    Column("host", Text, nullable=False),
    # The digest of a cookie of the browser, on that host.
    Column("state_digest", Text, nullable=False),
    Column("return_path", Text, nullable=False),
    Column("created_at", UTCMoment, nullable=False),
    Index("host_codes_parent_id", "parent_id"),
    Index("host_codes_created_at", "created_at"),
)

# The rules of sessions that the service had at its last start, by the name
# of their setting: applications in process apply the same ones.
SESSION_RULES = Table(
    "session_rules",
    METADATA,
    Column("name", Text, primary_key=True),
    Column("value", Text, nullable=False),
)

# Why sessions ended, kept for a day. Only a client that still has the
# secret id of a session is told the reason.
ENDED_SESSIONS = Table(
    "ended_sessions",
    METADATA,
    Column("session_digest", Text, primary_key=True),
    Column("reason", Text, nullable=False),
    Column("ended_at", UTCMoment, nullable=False),
    Index("ended_sessions_ended_at", "ended_at"),
)

# Failures to authenticate, by account and by network; `key` is a digest.
FAILURES = Table(
    "failures",
    METADATA,
    Column("key", Text, primary_key=True),
    Column("count", Integer, nullable=False),
    Column("last_at", UTCMoment, nullable=False),
    Index("failures_last_at", "last_at"),
)

# Single-use codes to set a new password, one for each user.
RESET_CODES = Table(
    "reset_codes",
    METADATA,
    Column("user_id", Text, primary_key=True),
    Column("code_digest", Text, nullable=False),
    Column("created_at", UTCMoment, nullable=False),
    # Codes of an earlier version have no time and are not valid any more.
    Column("expires_at", UTCMoment),
    # The id of the admin, or of the actor on the command line.
    Column("by_id", Text),
    Index("reset_codes_created_at", "created_at", "user_id"),
)

# The keys that sign identity tokens; `id` is the `kid` of a token.
SIGNING_KEYS = Table(
    "signing_keys",
    METADATA,
    Column("id", Text, primary_key=True),
    Column("created_at", UTCMoment, nullable=False),
    Column("private_key", Text, nullable=False),
)

# The events of the security log. `id` is also the time of the event, see
# `vestibule.db.events`, so time needs neither a column nor an index.
EVENTS = Table(
    "events",
    METADATA,
    Column("id", RowNumber, primary_key=True, autoincrement=False),
    Column("kind", Text, nullable=False),
    Column("user_id", Text),
    Column("by_id", Text),
    Column("ip", Text),
    Column("network", Text),
    Column("user_agent", Text),
    Column("handle", Text),
    Column("reason", Text),
    Column("count", Integer),
    Column("times", Integer, nullable=False, server_default="1"),
    # Rows are committed in this order; see `vestibule.db.events`.
    Column("position", RowNumber),
    Index("events_position", "position", unique=True),
    Index("events_user_id", "user_id", "id"),
    Index("events_kind", "kind", "id"),
    Index("events_network", "network", "id"),
)

# One row: the position of the event that was stored last. It also counts
# events that were purged since.
EVENT_POSITIONS = Table(
    "event_positions",
    METADATA,
    Column("last", BigInteger, nullable=False),
)

# Counts of events and gauges by the hour, counted from 1970 in UTC.
HOURLY = Table(
    "hourly",
    METADATA,
    Column("hour", Integer, primary_key=True, autoincrement=False),
    Column("name", Text, primary_key=True),
    Column("amount", BigInteger, nullable=False),
)

# Codes to create the first admin.
SETUP_CODES = Table(
    "setup_codes",
    METADATA,
    Column("code_digest", Text, primary_key=True),
    Column("created_at", UTCMoment, nullable=False),
)

# The numbers of users in the trigram index of SQLite: the implicit row ids
# of `users` may change when the file is vacuumed.
USER_NUMBERS = Table(
    "user_numbers",
    METADATA,
    Column("number", Integer, primary_key=True),
    Column("user_id", Text, nullable=False, unique=True),
    info={"only_on": "sqlite"},
)

# The browsers that a user has signed in with, by digests of their cookies.
KNOWN_DEVICES = Table(
    "known_devices",
    METADATA,
    Column("user_id", Text, primary_key=True),
    Column("device_digest", Text, primary_key=True),
    Column("seen_at", UTCMoment, nullable=False),
    Index("known_devices_seen_at", "seen_at"),
)

# Mails to send, and what became of them. There is no secret here: one is
# made when a mail is handed to the server.
OUTGOING_MAILS = Table(
    "outgoing_mails",
    METADATA,
    Column("id", Text, primary_key=True),
    Column("created_at", UTCMoment, nullable=False),
    Column("kind", Text, nullable=False),
    Column("user_id", Text),
    Column("address", Text, nullable=False),
    Column("address_key", Text, nullable=False),
    Column("network", Text),
    Column("language", Text),
    # What the text needs beside the user, as a JSON object.
    Column("detail", Text, nullable=False, server_default="{}"),
    Column("state", Text, nullable=False, server_default="queued"),
    Column("due_at", UTCMoment, nullable=False),
    Column("expires_at", UTCMoment, nullable=False),
    Column("leased_until", UTCMoment),
    Column("tries", Integer, nullable=False, server_default="0"),
    Column("error", Text),
    Column("sent_at", UTCMoment),
    Index("outgoing_mails_state", "state", "due_at"),
    Index("outgoing_mails_address", "address_key", "created_at"),
    Index("outgoing_mails_network", "network", "created_at"),
    Index("outgoing_mails_user", "user_id", "created_at"),
    Index("outgoing_mails_sent_at", "sent_at"),
    Index("outgoing_mails_created_at", "created_at", "id"),
    # The counts of the metrics are read from it alone.
    Index("outgoing_mails_counts", "state", "kind", "created_at"),
)

# What the links of mails prove, by the digests of their tokens.
MAIL_TOKENS = Table(
    "mail_tokens",
    METADATA,
    Column("token_digest", Text, primary_key=True),
    Column("created_at", UTCMoment, nullable=False),
    Column("expires_at", UTCMoment, nullable=False),
    Column("purpose", Text, nullable=False),
    Column("user_id", Text, nullable=False),
    Column("address", Text, nullable=False),
    # A short code for the browser that asked, beside the link.
    Column("code_digest", Text),
    Column("code_expires_at", UTCMoment),
    Column("code_tries", Integer, nullable=False, server_default="0"),
    Column("browser_digest", Text),
    Index("mail_tokens_user", "user_id", "purpose"),
    Index("mail_tokens_expires_at", "expires_at"),
)

# One row: the generation of users and sessions, for the session cache.
# Triggers replace it, see revision 0006. PostgreSQL has no such table.
CACHE_GENERATION = Table(
    "cache_generation",
    METADATA,
    Column("value", Text, nullable=False),
    info={"only_on": "sqlite"},
)
