#!/usr/bin/env python3
"""The views, at the paths that scripts import."""

from vestibule.api.views import app_views

__all__ = ["app_views"]
