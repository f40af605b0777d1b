#!/usr/bin/env python3
"""How a request is judged, by the filter and by the gate alike."""

from api.v1.auth.auth import Auth
from api.v1.auth.decision import Decision, Outcome, decide
from api.v1.request import VestibuleRequest
from vestibule.observe.security import Event, begin_request, log
from vestibule.sessions.origin import NOWHERE, Origin, set_origin


def begin(auth: Auth | None, request: VestibuleRequest) -> None:
    """Say which request is answered from now on, and who judges it.

    Threads are used again, so each request has to say it.
    """
    request.mechanism = auth
    set_origin(_origin_of(request))
    begin_request(request)


def judge(auth: Auth | None, request: VestibuleRequest) -> Decision:
    """Return the decision of `auth` about a `request` that has begun."""
    decision = decide(auth, request)
    if decision.outcome is Outcome.REFUSED and hasattr(auth, "why_refused"):
        request.session_ended = decision.reason
        log(Event.SESSION_REFUSED, reason=decision.reason)
    return decision


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
    return Origin(request.client_address, request.client_program)
