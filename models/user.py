#!/usr/bin/env python3
"""Leads to `vestibule.db.models.user`, where this is defined."""

import sys

from vestibule.db.models import user
from vestibule.db.models.user import *  # noqa: F403

sys.modules[__name__] = user
