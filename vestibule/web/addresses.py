#!/usr/bin/env python3
"""Where the pages are that other pages lead to."""

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
