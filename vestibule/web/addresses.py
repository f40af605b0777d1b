#!/usr/bin/env python3
"""Where the pages are that other pages lead to."""

from urllib.parse import quote

SIGN_IN = "/sign-in"
SIGNED_OUT = "/signed-out"
SETUP = "/setup"
ACCOUNT = "/account"
SESSIONS = "/account/sessions"
ACTIVITY = "/account/activity"
#: The admin's desk; all that begins so is for admins alone.
DESK = "/admin"
DESK_USERS = "/admin/users"
DESK_SESSIONS = "/admin/sessions"
DESK_EVENTS = "/admin/events"
DESK_FIGURES = "/admin/figures"


def desk_user(user_id: str) -> str:
    """Return where the desk shows a user; scripts give any id."""
    return f"{DESK_USERS}/{quote(user_id, safe='')}"
