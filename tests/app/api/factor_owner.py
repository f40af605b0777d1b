#!/usr/bin/env python3
"""A user with an authenticator app, and the logins of that user."""

import base64

from flask.testing import FlaskClient

from tests.app.api.service import (
    Service,
    session_id_of,
    stored_user,
)
from vestibule.accounts import totp
from vestibule.accounts.second_factors import begin_app, confirm_app
from vestibule.core import clock
from vestibule.db.models.user import User
from vestibule.sessions.facts import (
    SessionFacts,
    facts_of_session,
)

FACTORS = "/api/v1/auth_session/factors"
CODES = "/api/v1/auth_session/recovery-codes"
CONTINUE = "/api/v1/auth_session/second-factor"
LOGOUT = "/api/v1/auth_session/logout"
ME = "/api/v1/users/me"
VERIFY = "/api/v1/auth_session/verify"
COOKIE = "vestibule_login"


class Owner:
    """A user with an app, and the codes that it shows."""

    def __init__(self, user: User | None = None) -> None:
        """Store the user with a confirmed app."""
        self.user = user or stored_user()
        app = begin_app(self.user, "phone")
        self.app_id = app.factor.id
        self.seed = base64.b32decode(app.key.replace(" ", ""))
        self.recovery = confirm_app(self.user, self.app_id, self.code())

    def code(self, offset: int = 0) -> str:
        """Return the code that the app shows, some steps from now."""
        return totp.hotp(self.seed, totp.step_at(clock.now()) + offset)


def waiting(service: Service, owner: Owner) -> FlaskClient:
    """Return a client whose login waits for the second factor."""
    client, answer = service.log_in(owner.user)
    assert answer.status_code == 401
    assert answer.get_json() == {"error": "second factor required"}
    return client


def signed_in(service: Service, owner: Owner) -> FlaskClient:
    """Return a client that gave both factors."""
    client = waiting(service, owner)
    answer = client.post(CONTINUE, json={"code": owner.code()})
    assert answer.status_code == 200, answer.text
    return client


def facts(service: Service, client: FlaskClient) -> SessionFacts:
    """Return the facts of the client's session."""
    session = service.mechanism.store.find(session_id_of(client))
    assert session is not None
    return facts_of_session(session)
