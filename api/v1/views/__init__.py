#!/usr/bin/env python3
"""The views of version 1: one module for each resource, sessions last."""

# ruff: noqa: I001
from api.v1.views.blueprint import app_views
from api.v1.views.index import *  # noqa: F403
from api.v1.views.users import *  # noqa: F403
from api.v1.views.account import *  # noqa: F403
from api.v1.views.admin import *  # noqa: F403
from api.v1.views.directory import *  # noqa: F403
from api.v1.views.overview import *  # noqa: F403
from api.v1.views.reset import *  # noqa: F403
from api.v1.views.sessions import *  # noqa: F403
from api.v1.views.session_auth import *  # noqa: F403

__all__ = ["app_views"]
