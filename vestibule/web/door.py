#!/usr/bin/env python3
"""The filter before each page: who comes in, and who is sent to sign in.

Its law: the decision about a person is the one that the API makes; only
what is answered differs, because a person reads it.
"""

from urllib.parse import urlencode

from flask import Response, abort

from api.v1 import guard
from api.v1.admission import judge
from api.v1.auth.auth import Auth
from api.v1.auth.decision import Outcome
from api.v1.entry import FORM_LIMIT
from api.v1.permit import permit
from api.v1.request import VestibuleRequest
from vestibule.accounts.policy import Action
from vestibule.return_address import PARAMETER
from vestibule.web.addresses import DESK, SIGN_IN
from vestibule.web.blueprint import OPEN, pages
from vestibule.web.rendering import redirect

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


def admit(
    auth: Auth | None, request: VestibuleRequest
) -> Response | None:
    """Let `request` pass with its `current_user` if it has one.

    Who has none is sent to sign in, where the page is not open to all.
    """
    if request.endpoint == _ASSET:
        return None
    # Of GET too: where to return to may stand in a form.
    request.max_content_length = FORM_LIMIT
    guard.receive(auth, request)
    decision = judge(auth, request)
    if decision.outcome is Outcome.PASSED:
        request.current_user = decision.principal
        if f"{request.path}/".startswith(f"{DESK}/"):
            # Also where there is nothing: nobody else learns what is.
            permit(Action.SEE_DESK)
        return None
    if request.endpoint is None or request.endpoint in OPEN:
        return None
    if not request.prefers_page:
        abort(401 if decision.outcome is Outcome.MISSING else 403)
    if request.method != "GET":
        # What was typed is lost; the page that it came from is not.
        return redirect(SIGN_IN)
    back = request.full_path.rstrip("?")
    return redirect(
        f"{SIGN_IN}?{urlencode({PARAMETER: back})}"
    )
