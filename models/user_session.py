#!/usr/bin/env python3
"""Leads to `vestibule.db.models.user_session`, where this is defined."""

import sys

from vestibule.db.models import user_session
from vestibule.db.models.user_session import *  # noqa: F403

sys.modules[__name__] = user_session
