#!/usr/bin/env python3
"""The views of version 1: one module for each resource, sessions last."""

# ruff: noqa: I001
from vestibule.api.views.index import app_views
from vestibule.api.views.index import *  # noqa: F403
from vestibule.api.views.users import *  # noqa: F403
from vestibule.api.views.admin import *  # noqa: F403
from vestibule.api.views.admin_activity import *  # noqa: F403
from vestibule.api.views.sessions import *  # noqa: F403
from vestibule.api.views.factors import *  # noqa: F403
from vestibule.api.views.session_auth import *  # noqa: F403

__all__ = ["app_views"]
