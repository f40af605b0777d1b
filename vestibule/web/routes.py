#!/usr/bin/env python3
"""The blueprint and the paths of the pages, and which pages are public.

A page needs an authenticated user unless it is marked with `public`.
"""

import re
from collections.abc import Callable
from typing import Any, TypeVar
from urllib.parse import parse_qsl, quote, urlencode, urlsplit

from flask import Blueprint

from vestibule.accounts.recovery import (
    FACTOR_RESET_PATH,
    INVITATION_PATH,
    RESET_PATH,
)
from vestibule.core import page_settings, settings
from vestibule.core.redirects import RETURN_PARAMETER, safe_redirect
from vestibule.db.models.user import Role
from vestibule.http.request import current_request
from vestibule.mechanisms.session_auth import SessionAuth

SIGN_IN = "/sign-in"
SIGN_OUT = "/sign-out"
SIGNED_OUT = "/signed-out"
REGISTER = "/register"
RESET = RESET_PATH
FORGOT = "/forgot"
CONFIRM = "/confirm"
UNDO = "/undo"
#: Below a path that each gate passes, since people open it by a link.
INVITATION = INVITATION_PATH
FACTOR_RESET = FACTOR_RESET_PATH
SETUP = "/setup"
ACCOUNT = "/account"
#: Below a path that each gate passes, since pages before sign-in use it.
PREFERENCES = "/account/preferences"
SECOND_FACTOR = "/account/second-factor"
WELCOME = "/account/welcome"
PASSWORD = "/account/password"
SESSIONS = "/account/sessions"
ACTIVITY = "/account/activity"
#: The apps and recovery codes of the account; a recovered session may open
#: nothing else.
FACTORS = "/account/factors"
#: Every path that begins with it is for admins only.
ADMIN = "/admin"
ADMIN_OVERVIEW = "/admin/overview"
ADMIN_USERS = "/admin/users"
ADMIN_INVITATIONS = "/admin/invitations"
ADMIN_SESSIONS = "/admin/sessions"
ADMIN_EVENTS = "/admin/events"
ADMIN_MAILS = "/admin/mails"
ADMIN_GATE = "/admin/gate"
ADMIN_STATISTICS = "/admin/figures"
EXPORT_SESSIONS = "/admin/sessions/export"
EXPORT_USERS = "/admin/users/export"

#: Characters of the address of a page to go back to.
MAX_BACK_LENGTH = 4_000

#: The request header with which a proxy says, by `off`, that it passes no
#: admin pages.
ADMIN_HEADER = "X-Vestibule-Admin-Pages"
#: The field of a form with the id of the user that it was made for.
ACCOUNT_FIELD = "account"

View = TypeVar("View", bound=Callable[..., Any])

pages: Blueprint = Blueprint("pages", __name__)
#: The endpoints that do not need an authenticated user.
PUBLIC_ENDPOINTS: set[str] = set()


def has_pages(mechanism: type | None) -> bool:
    """Return True if `WEB_PAGES` is on and `mechanism` has sessions."""
    return (
        page_settings.WEB_PAGES.read()
        and mechanism is not None
        and issubclass(mechanism, SessionAuth)
    )


def public(view: View) -> View:
    """Mark a page as public: it needs no authenticated user.

    Decorate the view below its route: `@pages.get(...)`, then `@public`.
    """
    PUBLIC_ENDPOINTS.add(f"{pages.name}.{view.__name__}")
    return view


def own_url(path: str) -> str:
    """Return the URL of the page at `path`, below the service's prefix."""
    return current_request().base_path + path


def return_url() -> str | None:
    """Return the request's `return_to` if it is a safe redirect target."""
    request = current_request()
    return safe_redirect(
        request.values.get(RETURN_PARAMETER),
        (
            *settings.ALLOWED_RETURN_HOSTS.read(),
            *page_settings.APP_HOSTS.read(),
        ),
        request.is_secure,
    )


def after_sign_in_url() -> str:
    """Return where a user gets to after signing in.

    That is the safe `return_to` of the request, the application, or else
    the account.
    """
    return return_url() or page_settings.APP_URL.read() or own_url(ACCOUNT)


def shows_admin_link() -> bool:
    """Return True if the current user has a link to the admin pages.

    A proxy that does not pass them says so by a header; a client that
    forges it only hides the link from itself.
    """
    request = current_request()
    role = getattr(request.current_user, "role", None)
    return role == Role.ADMIN and request.headers.get(ADMIN_HEADER) != "off"


def with_return_url(path: str) -> str:
    """Return `path` with the request's `return_to`, if it has a safe one.

    The pages before sign-in pass it on, so the user gets back from each, and
    so do those on which a user sets up a second factor.
    """
    back = return_url()
    joined = "&" if "?" in path else "?"
    return (
        path
        if back is None
        else f"{path}{joined}{urlencode({RETURN_PARAMETER: back})}"
    )


def back_url(path: str) -> str:
    """Return the admin page that the request's `back` names, else `path`.

    Both are URLs of this service, with its prefix. After an action, and
    after Cancel, an admin is at the same place of the same list.
    """
    return _admin_url(current_request().values.get("back", ""), path)


def list_url(path: str) -> str:
    """Return the page of a list from which a user's page was opened.

    The request's `back` is the user's page, and has a `back` of its own.
    Return the URL of `path` if it has none.
    """
    query = urlsplit(back_url(path)).query
    return _admin_url(dict(parse_qsl(query)).get("back", ""), path)


def _admin_url(given: str, path: str) -> str:
    """Return `given` if it is the URL of an admin page, else that of `path`.

    It must be of this host, below the service's prefix.
    """
    prefix = re.escape(current_request().base_path + ADMIN)
    is_admin_page = re.fullmatch(rf"{prefix}([/?][!-~]*)?", given)
    if is_admin_page and "\\" not in given and len(given) <= MAX_BACK_LENGTH:
        return given
    return own_url(path)


def admin_user_path(user_id: str) -> str:
    """Return the path of a user's admin page; any id is quoted safely."""
    return f"{ADMIN_USERS}/{quote(user_id, safe='')}"
