#!/usr/bin/env python3
"""Where the pages are that other pages lead to."""

SIGN_IN = "/sign-in"
SIGNED_OUT = "/signed-out"
SETUP = "/setup"
ACCOUNT = "/account"
SESSIONS = "/account/sessions"
ACTIVITY = "/account/activity"
