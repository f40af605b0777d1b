#!/usr/bin/env python3
"""Where the pages are: their paths, their blueprint, and which are public."""

from collections.abc import Callable
from typing import Any, TypeVar
from urllib.parse import quote

from flask import Blueprint

from vestibule.core import settings
from vestibule.mechanisms.session_auth import SessionAuth


def has_pages(mechanism: type | None) -> bool:
    """Tell whether pages are on: they are of no use without sessions."""
    return (
        settings.WEB_PAGES.read()
        and mechanism is not None
        and issubclass(mechanism, SessionAuth)
    )


SIGN_IN = "/sign-in"
SIGNED_OUT = "/signed-out"
SETUP = "/setup"
ACCOUNT = "/account"
SESSIONS = "/account/sessions"
ACTIVITY = "/account/activity"


#: The admin's desk; all that begins so is for admins alone.
ADMIN = "/admin"
ADMIN_USERS = "/admin/users"
ADMIN_SESSIONS = "/admin/sessions"
ADMIN_EVENTS = "/admin/events"
ADMIN_STATISTICS = "/admin/figures"


def admin_user_path(user_id: str) -> str:
    """Return where the desk shows a user; scripts give any id."""
    return f"{ADMIN_USERS}/{quote(user_id, safe='')}"


View = TypeVar("View", bound=Callable[..., Any])


pages: Blueprint = Blueprint("pages", __name__)


#: The endpoints that nobody needs a session for.
PUBLIC_ENDPOINTS: set[str] = set()


def public(view: View) -> View:
    """Let everybody see the page that `view` makes.

    It stands below the route: `@pages.get(...)`, then `@open_to_all`.
    """
    PUBLIC_ENDPOINTS.add(f"{pages.name}.{view.__name__}")
    return view
