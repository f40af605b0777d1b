#!/usr/bin/env python3
"""What the policy forbids becomes 403, before anything else is looked at.

Its law: a view about other people's accounts asks here first, so that
nobody learns from an answer whether an account exists that is not theirs
to see.
"""

from flask import abort

from api.v1.request import current_request
from vestibule import settings
from vestibule.accounts.policy import Action, Actor, Policy, may


def permit(action: Action, target_id: str | None = None) -> None:
    """Abort the request with 403 unless its user may do `action`."""
    user = current_request().current_user
    # A mechanism of somebody's own may know users of another kind.
    actor = Actor(getattr(user, "id", None), getattr(user, "role", None))
    policy = Policy(settings.AUTHZ_POLICY.read())
    if not may(actor, action, target_id, policy):
        abort(403)
