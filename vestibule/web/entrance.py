#!/usr/bin/env python3
"""The bare address: it leads to the account, or to sign in."""

from flask import Response

from api.v1.request import current_request
from vestibule.web.blueprint import open_to_all, pages
from vestibule.web.door import SIGN_IN
from vestibule.web.rendering import redirect

ACCOUNT = "/account"


@pages.get("/")
@open_to_all
def entrance() -> Response:
    """Lead to where the person who asks wants to be."""
    known = current_request().current_user is not None
    return redirect(ACCOUNT if known else SIGN_IN)
