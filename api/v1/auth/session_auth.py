#!/usr/bin/env python3
"""Leads to `vestibule.mechanisms.session_auth`, where this is defined."""

import sys

from vestibule.mechanisms import session_auth
from vestibule.mechanisms.session_auth import *  # noqa: F403

sys.modules[__name__] = session_auth
