#!/usr/bin/env python3
"""Leads to `vestibule.api.views.users`, where this is defined."""

import sys

from vestibule.api.views import users
from vestibule.api.views.users import *  # noqa: F403

sys.modules[__name__] = users
