#!/usr/bin/env python3
"""Whether an application has pages, and how it gets them."""

from flask import Flask

from api.v1.auth.session_auth import SessionAuth
from vestibule import settings
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
)


def has_pages(mechanism: type | None) -> bool:
    """Tell whether pages are on: they are of no use without sessions."""
    return (
        settings.WEB_PAGES.read()
        and mechanism is not None
        and issubclass(mechanism, SessionAuth)
    )


def install(app: Flask) -> None:
    """Give `app` the pages, and its errors the look of one."""
    # An application has what is set when it is made.
    bundle.cache_clear()
    bundle()
    app.register_blueprint(pages)
    error_pages.install(app)
