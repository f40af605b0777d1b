#!/usr/bin/env python3
"""Leads to `vestibule.mechanisms.auth`, where this is defined."""

import sys

from vestibule.mechanisms import auth
from vestibule.mechanisms.auth import *  # noqa: F403

sys.modules[__name__] = auth
