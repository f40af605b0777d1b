#!/usr/bin/env python3
"""How an application gets the pages."""

from flask import Flask

from vestibule.web import (
    account,
    activity,
    error_pages,
    register,
    reset,
    sessions,
    setup,
    sign_in,
)
from vestibule.web.admin import events as admin_events
from vestibule.web.admin import sessions as admin_sessions
from vestibule.web.admin import statistics as admin_statistics
from vestibule.web.admin import user_actions
from vestibule.web.admin import users as admin_users
from vestibule.web.assets import bundle
from vestibule.web.routes import pages

#: Each module that has pages is taken in once.
PAGES = (
    sign_in,
    register,
    reset,
    setup,
    account,
    sessions,
    activity,
    admin_users,
    user_actions,
    admin_sessions,
    admin_events,
    admin_statistics,
)


def install(app: Flask) -> None:
    """Give `app` the pages, and its errors the look of one."""
    # An application has what is set when it is made.
    bundle.cache_clear()
    bundle()
    app.register_blueprint(pages)
    error_pages.install(app)
