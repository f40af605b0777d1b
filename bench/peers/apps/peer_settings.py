#!/usr/bin/env python3
"""The settings that the benchmark gives each peer.

It imports the standard library only. Each peer's application takes its
set-up from here, so that all have the same users.
"""

import os
from pathlib import Path

#: Where this run's files lie, such as a database of SQLite.
FOLDER = Path(os.environ["PEER_FOLDER"])
#: The addresses of the stores that belong to this run, as URLs.
REDIS = os.environ.get("PEER_REDIS", "")
POSTGRESQL = os.environ.get("PEER_POSTGRESQL", "")
EMAILS = os.environ["PEER_EMAILS"].split(",")
PASSWORD = os.environ["PEER_PASSWORD"]
#: What a peer that has several stores shall use.
VARIANT = os.environ.get("PEER_VARIANT", "")
#: As long as frameworks ask for; it protects nothing here.
SECRET = "a secret of a server that lives for some minutes on loopback only"


def sqlite(name: str) -> Path:
    """Return the path of a database of SQLite in this run's folder."""
    return FOLDER / f"{name}.db"
