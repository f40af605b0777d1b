#!/usr/bin/env python3
"""The form that chooses the time zone of the pages."""

from flask import Response

from vestibule.accounts.permissions import Action
from vestibule.http.access import authorize
from vestibule.http.request import current_request
from vestibule.sessions import cookie
from vestibule.web.routes import ADMIN, back_url, pages
from vestibule.web.templating import redirect_to
from vestibule.web.zone import COOKIE, find_zone

#: Seconds for which a browser keeps the choice: a year.
COOKIE_LIFETIME = 31_536_000


@pages.post("/admin/zone")
def choose_zone() -> Response:
    """Keep the zone that the form names, and go back to the list."""
    authorize(Action.SEE_ADMIN_PAGES)
    request = current_request()
    name = request.form.get("zone", "")
    response = redirect_to(back_url(ADMIN))
    if find_zone(name) is not None:
        cookie.set_local(
            response,
            COOKIE,
            name,
            request.is_secure,
            request.base_path or "/",
            COOKIE_LIFETIME,
        )
    return response
