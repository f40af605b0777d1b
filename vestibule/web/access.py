#!/usr/bin/env python3
"""Whether there are pages: light enough for the command line to ask.

Where the pages are that other pages lead to.

The blueprint that the pages hang on, and which of them are open.

Its law: a page is for who is signed in, unless it says otherwise.

The filter before each page: who comes in, and who is sent to sign in.

Its law: the decision about a person is the one that the API makes; only
what is answered differs, because a person reads it.
"""

from urllib.parse import urlencode

from flask import Response, abort

from vestibule.accounts.permissions import Action
from vestibule.core.redirects import RETURN_PARAMETER
from vestibule.http import access
from vestibule.http.access import Outcome, authenticate, authorize
from vestibule.http.login import MAX_FORM_BYTES
from vestibule.http.request import VestibuleRequest
from vestibule.mechanisms.auth import Auth
from vestibule.web.routes import ADMIN, PUBLIC_ENDPOINTS, SIGN_IN, pages
from vestibule.web.templating import redirect

_ASSET = f"{pages.name}.asset"


def is_page(request: VestibuleRequest) -> bool:
    """Tell whether a page should answer: one of ours, or an error's.

    Nothing under `/api/` is one, whatever the client prefers.
    """
    if request.path.startswith("/api/"):
        return False
    endpoint = request.endpoint
    if endpoint is not None:
        return endpoint.startswith(f"{pages.name}.")
    return request.prefers_page


def require_page_authentication(
    auth: Auth | None, request: VestibuleRequest
) -> Response | None:
    """Let `request` pass with its `current_user` if it has one.

    Who has none is sent to sign in, where the page is not open to all.
    """
    if request.endpoint == _ASSET:
        return None
    # Of GET too: where to return to may stand in a form.
    request.max_content_length = MAX_FORM_BYTES
    access.check_request_origin(auth, request)
    decision = authenticate(auth, request)
    if decision.outcome is Outcome.PASSED:
        request.current_user = decision.principal
        if f"{request.path}/".startswith(f"{ADMIN}/"):
            # Also where there is nothing: nobody else learns what is.
            authorize(Action.SEE_DESK)
        return None
    if request.endpoint is None or request.endpoint in PUBLIC_ENDPOINTS:
        return None
    if not request.prefers_page:
        abort(401 if decision.outcome is Outcome.MISSING else 403)
    if request.method != "GET":
        # What was typed is lost; the page that it came from is not.
        return redirect(SIGN_IN)
    back = request.full_path.rstrip("?")
    return redirect(f"{SIGN_IN}?{urlencode({RETURN_PARAMETER: back})}")
