#!/usr/bin/env python3
"""The language, the theme and the time zone that a browser chose, in cookies.

Without a choice the browser's own settings decide, and times are in UTC.
"""

from typing import Any

from flask import Response

from vestibule.accounts.permissions import Action
from vestibule.core.redirects import safe_redirect
from vestibule.http.access import authorize
from vestibule.http.request import current_request
from vestibule.sessions import cookie
from vestibule.web.i18n import (
    LANGUAGE_COOKIE,
    LANGUAGES,
    ZONE_COOKIE,
    find_zone,
)
from vestibule.web.routes import (
    ADMIN,
    PREFERENCES,
    SIGN_IN,
    back_url,
    own_url,
    pages,
    public,
)
from vestibule.web.templating import THEME_COOKIE, THEMES, redirect_to

#: The field with the address of the page that has the form.
PAGE_FIELD = "shown_page"
#: Seconds for which a browser keeps a choice: a year.
LIFETIME_SECONDS = 31_536_000
_ZONE = f"{ADMIN}/zone"


@pages.post(PREFERENCES)
@public
def set_preferences() -> Response:
    """Keep the choices in the form, and lead back to the page."""
    form = current_request().form
    back = safe_redirect(form.get(PAGE_FIELD)) or own_url(SIGN_IN)
    response = redirect_to(back)
    for name, cookie_name, known in (
        ("language", LANGUAGE_COOKIE, LANGUAGES),
        ("theme", THEME_COOKIE, THEMES),
    ):
        if name in form:
            _set(response, cookie_name, form[name], known)
    _set_zone(response, form.get("zone", ""))
    return response


@pages.get(PREFERENCES)
@public
def show_preferences() -> Response:
    """Lead to a page: each of them has the form."""
    return redirect_to(own_url(SIGN_IN))


def _set(
    response: Any, name: str, choice: str, known: tuple[str, ...]
) -> None:
    """Set the cookie of a choice, or delete it for any other text."""
    request = current_request()
    path = request.base_path or "/"
    if choice in known:
        cookie.set_local(
            response, name, choice, request.is_secure, path, LIFETIME_SECONDS
        )
    else:
        cookie.clear_local(response, name, request.is_secure, path)


@pages.get(_ZONE)
def show_zone() -> Response:
    """Lead to the list whose form was sent without a session."""
    authorize(Action.SEE_ADMIN_PAGES)
    return redirect_to(back_url(ADMIN))


@pages.post(_ZONE)
def choose_zone() -> Response:
    """Keep the zone that the form names, and go back to the list."""
    authorize(Action.SEE_ADMIN_PAGES)
    response = redirect_to(back_url(ADMIN))
    _set_zone(response, current_request().form.get("zone", ""))
    return response


def _set_zone(response: Any, name: str) -> None:
    """Set the cookie of the zone with this name, if there is one."""
    request = current_request()
    if find_zone(name) is not None:
        cookie.set_local(
            response,
            ZONE_COOKIE,
            name,
            request.is_secure,
            request.base_path or "/",
            LIFETIME_SECONDS,
        )
