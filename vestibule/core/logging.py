#!/usr/bin/env python3
"""The log: one line for each event on standard error.

Its law: what comes from outside cannot begin a line of its own, and
secrets are never given to it.
"""

import logging
import sys
import time

from vestibule.core import settings
from vestibule.core.text import escape_control_characters

#: The logger whose lines are the security log.
AUDIT_LOGGER = "vestibule.security"


class OneLineFormatter(logging.Formatter):
    """Writes a message on one line; only a traceback has more of them."""

    converter = staticmethod(time.gmtime)
    default_time_format = "%Y-%m-%dT%H:%M:%S"
    default_msec_format = "%s.%03dZ"

    def formatMessage(self, record: logging.LogRecord) -> str:
        """Return the line, its control characters made visible."""
        return escape_control_characters(super().formatMessage(record))


def configure_logging() -> None:
    """Send the log to standard error, from `LOG_LEVEL` upwards."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        OneLineFormatter("%(asctime)s %(levelname)s %(name)s: %(message)s")
    )
    # The security log is for programs: its lines are JSON and no more.
    plain = logging.StreamHandler(sys.stderr)
    plain.setFormatter(logging.Formatter("%(message)s"))
    security = logging.getLogger(AUDIT_LOGGER)
    security.handlers[:] = [plain]
    security.setLevel(logging.INFO)
    security.propagate = False
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(settings.LOG_LEVEL.read().upper())
    # Alembic tells how it thinks; what it did, `vestibule.db.migrate` tells.
    logging.getLogger("alembic").setLevel(logging.WARNING)
