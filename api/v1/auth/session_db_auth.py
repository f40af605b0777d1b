#!/usr/bin/env python3
"""Leads to `vestibule.mechanisms.session_db_auth`, where this is defined."""

import sys

from vestibule.mechanisms import session_db_auth
from vestibule.mechanisms.session_db_auth import *  # noqa: F403

sys.modules[__name__] = session_db_auth
