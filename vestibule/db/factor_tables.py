#!/usr/bin/env python3
"""The tables of second factors and passkeys; `tables` has the others."""

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Index,
    Integer,
    Table,
    Text,
)

from vestibule.db.column_types import METADATA, UTCMoment

# The second factors of users: authenticator apps, and one row for a user's
# recovery codes. `failures` are those in a row.
FACTORS = Table(
    "factors",
    METADATA,
    Column("id", Text, primary_key=True),
    Column("user_id", Text, nullable=False),
    Column("kind", Text, nullable=False),
    Column("name", Text, nullable=False),
    # Encrypted; see `vestibule.core.crypto`.
    Column("secret", Text),
    Column("created_at", UTCMoment, nullable=False),
    # The factor is pending until the user has given a first right code.
    Column("confirmed_at", UTCMoment),
    Column("last_used_at", UTCMoment),
    # The number of the time step whose code was used last (RFC 6238, 5.2).
    Column("last_step", BigInteger),
    Column("failures", Integer, nullable=False, server_default="0"),
    Column("failed_at", UTCMoment),
    Index("factors_user_id", "user_id", "created_at"),
)

# The recovery codes that are not used yet.
RECOVERY_CODES = Table(
    "recovery_codes",
    METADATA,
    Column("code_digest", Text, primary_key=True),
    Column("user_id", Text, nullable=False),
    Column("created_at", UTCMoment, nullable=False),
    Index("recovery_codes_user_id", "user_id"),
)

# Logins whose password was right, and that wait for a second factor.
PENDING_LOGINS = Table(
    "pending_logins",
    METADATA,
    Column("cookie_digest", Text, primary_key=True),
    Column("user_id", Text, nullable=False),
    # Of the hash of the password that was right: another one ends the login.
    Column("password_digest", Text, nullable=False),
    Column("created_at", UTCMoment, nullable=False),
    Index("pending_logins_user_id", "user_id"),
    Index("pending_logins_created_at", "created_at"),
)

# Browsers in which a user need not give the second factor. `binding` is a
# digest of the password's hash and of the factors that the trust is for.
TRUSTED_BROWSERS = Table(
    "trusted_browsers",
    METADATA,
    Column("id", Text, primary_key=True),
    Column("cookie_digest", Text, nullable=False, unique=True),
    Column("user_id", Text, nullable=False),
    Column("binding", Text, nullable=False),
    Column("created_at", UTCMoment, nullable=False),
    Column("ip", Text),
    Column("user_agent", Text),
    Index("trusted_browsers_user_id", "user_id"),
    Index("trusted_browsers_created_at", "created_at"),
)

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
