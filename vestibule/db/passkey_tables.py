#!/usr/bin/env python3
"""The tables of passkeys; `vestibule.db.tables` has the others."""

from sqlalchemy import BigInteger, Boolean, Column, Index, Table, Text

from vestibule.db.column_types import METADATA, UTCMoment

# Passkeys, each beside its row in `factors`; the texts are Base64url.
PASSKEYS = Table(
    "passkeys",
    METADATA,
    Column("factor_id", Text, primary_key=True),
    Column("user_id", Text, nullable=False),
    Column("credential_id", Text, nullable=False),
    Column("public_key", Text, nullable=False),
    Column("sign_count", BigInteger, nullable=False),
    Column("backup_eligible", Boolean, nullable=False),
    Column("backed_up", Boolean, nullable=False),
    Column("transports", Text, nullable=False, server_default=""),
    Column("rp_id", Text, nullable=False),
    Index("passkeys_credential_id", "credential_id", unique=True),
    Index("passkeys_user_id", "user_id"),
)

PASSKEY_HANDLES = Table(
    "passkey_handles",
    METADATA,
    Column("user_id", Text, primary_key=True),
    Column("handle", Text, nullable=False, unique=True),
)

# The challenges that wait for the answer of an authenticator.
PASSKEY_CHALLENGES = Table(
    "passkey_challenges",
    METADATA,
    Column("challenge_digest", Text, primary_key=True),
    Column("purpose", Text, nullable=False),
    Column("user_id", Text),
    Column("network", Text),
    Column("created_at", UTCMoment, nullable=False),
    Index("passkey_challenges_user_id", "user_id"),
    Index("passkey_challenges_network", "network", "created_at"),
    Index("passkey_challenges_created_at", "created_at"),
)
