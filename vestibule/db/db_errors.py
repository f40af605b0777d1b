#!/usr/bin/env python3
"""What the database's failures are called in this project.

Its law: a driver's message may be read by the operator, in the log; no
client ever sees one.
"""

from sqlalchemy.exc import DBAPIError

from vestibule.core.errors import (
    DatabaseUnavailable,
    InvalidValue,
    ServiceBusy,
    VestibuleError,
)

#: PostgreSQL's SQLSTATEs for "try again": lock not available, deadlock,
#: serialization failure, statement timeout, too many connections.
_PASSING = frozenset({"55P03", "40P01", "40001", "57014", "53300"})
#: PostgreSQL's SQLSTATE for what an index cannot hold: more than a third
#: of a page, some 2700 bytes.
_TOO_LONG = "54000"


def translate_error(error: Exception) -> VestibuleError:
    """Return the project's error for a driver's or SQLAlchemy's `error`."""
    cause = error.orig if isinstance(error, DBAPIError) else error
    why = " ".join(str(cause).split())
    state = getattr(cause, "sqlstate", None)
    if state == _TOO_LONG:
        # Not the database fails: what was to be stored is no email or id.
        return InvalidValue(
            "an email or id", "is too long to be stored", code="too_long"
        )
    if state in _PASSING or "locked" in why or "database is busy" in why:
        return ServiceBusy(f"the database is busy: {why}")
    return DatabaseUnavailable(f"the database failed: {why}")
