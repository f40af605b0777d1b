#!/usr/bin/env python3
"""The bare address: it leads to the account, to sign in or to set up."""

from flask import Response

from api.v1.request import current_request
from vestibule.accounts.first_run import is_pending
from vestibule.web.addresses import ACCOUNT, SETUP, SIGN_IN
from vestibule.web.blueprint import open_to_all, pages
from vestibule.web.rendering import redirect


@pages.get("/")
@open_to_all
def entrance() -> Response:
    """Lead to where the person who asks wants to be."""
    if current_request().current_user is not None:
        return redirect(ACCOUNT)
    return redirect(SETUP if is_pending() else SIGN_IN)
