#!/usr/bin/env python3
"""The blueprint to which the views of version 1 belong."""

from flask import Blueprint

app_views = Blueprint("app_views", __name__, url_prefix="/api/v1")
