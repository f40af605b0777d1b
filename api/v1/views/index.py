#!/usr/bin/env python3
"""Leads to `vestibule.api.views.index`, where this is defined."""

import sys

from vestibule.api.views import index
from vestibule.api.views.index import *  # noqa: F403

sys.modules[__name__] = index
