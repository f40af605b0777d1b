#!/usr/bin/env python3
"""An application in this process, its users and the clients they use."""

import base64
import uuid
from functools import cache
from typing import Any

from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from tests.serving import COOKIE
from vestibule.core import passwords, settings
from vestibule.db.models.user import User
from vestibule.mechanisms import mechanism_for
from vestibule.mechanisms.session_auth import SessionAuth

PASSWORD = "correct horse"
NEW = "violet umbrella"
LOGIN = "/api/v1/auth_session/login"
LOGOUT = "/api/v1/auth_session/logout"
REFRESH = "/api/v1/auth_session/refresh"
RESET = "/api/v1/auth_session/reset"
SESSIONS = "/api/v1/auth_session/sessions"
USERS = "/api/v1/users"
ME = "/api/v1/users/me"
STATUS = "/api/v1/status"

WITH_SESSIONS = ("session_auth", "session_exp_auth", "session_db_auth")
NOT_FOUND = {"error": "Not found"}
FORBIDDEN = {"error": "Forbidden"}


@cache
def _hash() -> str:
    """Return a hash of `PASSWORD`, computed once because it is slow."""
    return passwords.hash_password(PASSWORD)


def stored_user(role: str = "member", email: str | None = None) -> User:
    """Store a user with this role and `PASSWORD`."""
    user = User(email=email or f"{uuid.uuid4().hex}@example.com")
    user.set_hash(_hash())
    user.role = role
    user.save()
    return user


def basic(user: User, password: str = PASSWORD) -> str:
    """Return the `Authorization` header with a user's credentials."""
    text = f"{user.email}:{password}".encode()
    return "Basic " + base64.b64encode(text).decode()


class Service:
    """An application with the mechanism that guards it."""

    def __init__(self, app: Flask, mechanism: Any) -> None:
        """Keep both."""
        self.app = app
        self.mechanism = mechanism

    def client(self) -> FlaskClient:
        """Return a new client without cookies."""
        return self.app.test_client()

    def log_in(
        self, user: User, password: str = PASSWORD, **more: Any
    ) -> tuple[FlaskClient, TestResponse]:
        """Send a login by a new client; return it and the answer."""
        client = self.client()
        form = {"email": user.email, "password": password}
        return client, client.post(LOGIN, data=form, **more)

    def client_for(self, user: User) -> FlaskClient:
        """Return a client that is authenticated as `user`."""
        if not isinstance(self.mechanism, SessionAuth):
            client = self.client()
            client.environ_base["HTTP_AUTHORIZATION"] = basic(user)
            return client
        client, answer = self.log_in(user)
        assert answer.status_code == 200, answer.text
        return client

    def client_with_session(self, session_id: str) -> FlaskClient:
        """Return a client with a cookie of this session id."""
        client = self.client()
        client.set_cookie(cookie_name(), session_id)
        return client


def cookie_name() -> str:
    """Return the current name of the session cookie."""
    return settings.SESSION_NAME.read() or COOKIE


def session_id_of(client: FlaskClient) -> str:
    """Return the session id in the cookie of a client."""
    cookie = client.get_cookie(cookie_name())
    assert cookie is not None
    return cookie.value


def build_service(app_module: Any, auth_type: str | None) -> Service:
    """Return a new application with a new mechanism."""
    kind = mechanism_for(auth_type)
    mechanism = None if kind is None else kind()
    return Service(app_module.create_app(mechanism), mechanism)
