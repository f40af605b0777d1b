#!/usr/bin/env python3
"""Leads to `vestibule.api.views.session_auth`, where this is defined."""

import sys

from vestibule.api.views import session_auth
from vestibule.api.views.session_auth import *  # noqa: F403

sys.modules[__name__] = session_auth
