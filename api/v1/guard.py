#!/usr/bin/env python3
"""The filter before each request: a decision becomes 401, 403 or a user."""

from flask import abort

from api.v1.auth.auth import Auth
from api.v1.auth.decision import Outcome, decide
from api.v1.cross_site import is_cross_site
from api.v1.request import VestibuleRequest
from vestibule.observe.security import Event, begin_request, log
from vestibule.sessions.origin import NOWHERE, Origin, readable, set_origin


def admit(auth: Auth | None, request: VestibuleRequest) -> None:
    """Let `request` pass with its `current_user`, or abort it.

    401 if it has no credential at all, 403 if what it has opens nothing,
    or if another site made a browser send it.
    """
    request.mechanism = auth
    # Threads are used again, so each request says where it comes from.
    set_origin(_origin_of(request))
    begin_request(request)
    if is_cross_site(request.method, request.headers, request.is_secure):
        log(Event.CROSS_SITE_REFUSED, path=request.path)
        abort(403)
    outcome, principal = decide(auth, request)
    if outcome is Outcome.MISSING:
        abort(401)
    if outcome is Outcome.REFUSED:
        # Who has the secret of an ended session may know why it ended.
        if (why_refused := getattr(auth, "why_refused", None)) is not None:
            request.session_ended = why_refused(request)
            log(Event.SESSION_REFUSED, reason=request.session_ended)
        abort(403)
    request.current_user = principal


def _origin_of(request: VestibuleRequest) -> Origin:
    """Return where a request comes from, if it may prove who sends it.

    What reads by a cookie alone shows no password, and is asked most.
    """
    environ = request.environ
    if (
        environ["REQUEST_METHOD"] == "GET"
        and "HTTP_AUTHORIZATION" not in environ
    ):
        return NOWHERE
    return Origin(
        request.client_address, readable(environ.get("HTTP_USER_AGENT"))
    )
