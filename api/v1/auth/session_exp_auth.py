#!/usr/bin/env python3
"""Leads to `vestibule.mechanisms.session_exp_auth`, where this is defined."""

import sys

from vestibule.mechanisms import session_exp_auth
from vestibule.mechanisms.session_exp_auth import *  # noqa: F403

sys.modules[__name__] = session_exp_auth
