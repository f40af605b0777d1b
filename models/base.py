#!/usr/bin/env python3
"""Leads to `vestibule.db.models.base`, where this is defined."""

import sys

from vestibule.db.models import base
from vestibule.db.models.base import *  # noqa: F403

sys.modules[__name__] = base
