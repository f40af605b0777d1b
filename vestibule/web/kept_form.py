#!/usr/bin/env python3
"""The entries of a form that could not be saved, kept for another try.

A session may expire while its user fills a form in, and the database may be
away when the form is sent. The entries, without passwords and codes, go
into a cookie of the browser, and the page of the form shows them again:
after the next sign-in, or by "Try again". Only the account that the form
was made for sees them, since another user may sign in at the same browser.

A request from another site is refused before this module sees it, so no
site can put entries into a form.
"""

import json
from base64 import urlsafe_b64decode, urlsafe_b64encode
from typing import Any

from werkzeug.datastructures import MultiDict

from vestibule.http.request import current_request
from vestibule.sessions import cookie
from vestibule.web.routes import ACCOUNT_FIELD

COOKIE = "vestibule_form"
#: Browsers keep cookies of up to 4,096 bytes, with name and attributes
#: (RFC 6265, 6.1). Longer entries are lost.
MAX_COOKIE_BYTES = 3_500
#: Seconds for which a browser keeps the cookie.
LIFETIME_SECONDS = 900
#: Fields that no cookie has.
_SECRETS = frozenset(
    {
        "password",
        "current_password",
        "new_password",
        "code",
        "recovery_code",
        "proof_code",
        "passkey",
        "proof_passkey",
    }
)

Entries = MultiDict[str, str]


def keep_form(response: Any) -> bool:
    """Set the cookie with the entries of the current request's form.

    What the address has is left out: the page is opened with it again.
    Return False, and set none, if the form has no entries but secrets, or
    more than a cookie takes.
    """
    request = current_request()
    entries = [
        (name, value)
        for name, value in request.form.items(multi=True)
        if name not in _SECRETS and value not in request.args.getlist(name)
    ]
    if not any(name != ACCOUNT_FIELD for name, _ in entries):
        return False
    text = json.dumps([request.path, entries], ensure_ascii=False)
    encoded = urlsafe_b64encode(text.encode("utf-8", "replace")).decode()
    if len(encoded) > MAX_COOKIE_BYTES:
        return False
    cookie.set_local(
        response,
        COOKIE,
        encoded,
        request.is_secure,
        request.base_path or "/",
        LIFETIME_SECONDS,
    )
    return True


def kept_form() -> Entries | None:
    """Return the kept entries of the page that is requested, if any.

    They are those of a form on this page, made for the current user. The
    cookie may have been forged, so anything else in it counts as nothing.
    """
    request = current_request()
    encoded = request.cookies.get(COOKIE)
    if request.method != "GET" or not encoded:
        return None
    try:
        path, entries = json.loads(urlsafe_b64decode(encoded))
        found = MultiDict([(str(name), str(value)) for name, value in entries])
    except (ValueError, TypeError, RecursionError):
        return None
    shown_to = found.get(ACCOUNT_FIELD)
    current = getattr(request.current_user, "id", None)
    if path != request.path or shown_to != current:
        return None
    for name in _SECRETS:
        found.poplist(name)
    return found


def form_entries() -> Entries:
    """Return the entries of the form that was sent, or else the kept ones."""
    return current_request().form or kept_form() or MultiDict()


def clear_kept_form(response: Any) -> None:
    """Delete the cookie, so that the entries are shown once."""
    request = current_request()
    cookie.clear_local(
        response, COOKIE, request.is_secure, request.base_path or "/"
    )
