#!/usr/bin/env python3
"""How an application gets the pages."""

from flask import Flask

from vestibule.web import (
    account,
    activity,
    entrance,
    error_pages,
    register,
    reset,
    sessions,
    setup,
    sign_in,
)
from vestibule.web.assets import bundle
from vestibule.web.blueprint import pages
from vestibule.web.desk import deeds as desk_deeds
from vestibule.web.desk import events as desk_events
from vestibule.web.desk import figures as desk_figures
from vestibule.web.desk import sessions as desk_sessions
from vestibule.web.desk import users as desk_users

#: Each module that has pages is taken in once.
PAGES = (
    entrance,
    sign_in,
    register,
    reset,
    setup,
    account,
    sessions,
    activity,
    desk_users,
    desk_deeds,
    desk_sessions,
    desk_events,
    desk_figures,
)


def install(app: Flask) -> None:
    """Give `app` the pages, and its errors the look of one."""
    # An application has what is set when it is made.
    bundle.cache_clear()
    bundle()
    app.register_blueprint(pages)
    error_pages.install(app)
