#!/usr/bin/env python3
"""Leads to `vestibule.mechanisms.basic_auth`, where this is defined."""

import sys

from vestibule.mechanisms import basic_auth
from vestibule.mechanisms.basic_auth import *  # noqa: F403

sys.modules[__name__] = basic_auth
