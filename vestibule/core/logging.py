#!/usr/bin/env python3
"""The log: one line for each message on standard error.

Text from a client cannot start a new line in the log (log injection), and
secrets are never logged.
"""

import logging
import sys
import time

from vestibule.core import settings
from vestibule.core.text import escape_control_characters

#: The logger whose lines are the security log.
AUDIT_LOGGER = "vestibule.security"


class OneLineFormatter(logging.Formatter):
    """Formats a message as one line; only a traceback has more."""

    converter = staticmethod(time.gmtime)
    default_time_format = "%Y-%m-%dT%H:%M:%S"
    default_msec_format = "%s.%03dZ"

    def formatMessage(self, record: logging.LogRecord) -> str:
        """Return the line with its control characters escaped."""
        return escape_control_characters(super().formatMessage(record))


def configure_logging() -> None:
    """Send messages of `LOG_LEVEL` and above to standard error."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        OneLineFormatter("%(asctime)s %(levelname)s %(name)s: %(message)s")
    )
    # Programs read the security log: its lines are JSON and nothing else.
    plain = logging.StreamHandler(sys.stderr)
    plain.setFormatter(logging.Formatter("%(message)s"))
    security = logging.getLogger(AUDIT_LOGGER)
    security.handlers[:] = [plain]
    security.setLevel(logging.INFO)
    security.propagate = False
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(settings.LOG_LEVEL.read().upper())
    # Alembic logs details at `info`; `vestibule.db.migrate` logs the result.
    logging.getLogger("alembic").setLevel(logging.WARNING)
