#!/usr/bin/env python3
"""The filter before each request: a decision becomes 401, 403 or a user."""

from flask import abort

from api.v1.admission import begin, judge
from api.v1.auth.auth import Auth
from api.v1.auth.decision import Outcome
from api.v1.cross_site import is_cross_site
from api.v1.request import VestibuleRequest
from vestibule.observe.security import Event, log


def admit(auth: Auth | None, request: VestibuleRequest) -> None:
    """Let `request` pass with its `current_user`, or abort it.

    401 if it has no credential at all, 403 if what it has opens nothing,
    or if another site made a browser send it.
    """
    receive(auth, request)
    decision = judge(auth, request)
    if decision.outcome is Outcome.MISSING:
        abort(401)
    if decision.outcome is Outcome.REFUSED:
        abort(403)
    request.current_user = decision.principal


def receive(auth: Auth | None, request: VestibuleRequest) -> None:
    """Note where `request` comes from; 403 if another site is behind it.
    """
    begin(auth, request)
    if is_cross_site(request.method, request.headers, request.is_secure):
        log(Event.CROSS_SITE_REFUSED, path=request.path)
        abort(403)
