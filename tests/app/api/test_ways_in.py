#!/usr/bin/env python3
"""Every way in, by the factors of the user, and the level it reaches.

The table of docs/security.md says what happens here.
"""

import re
from collections.abc import Callable
from typing import Any

import jwt
import pytest
from flask.testing import FlaskClient

from tests.app.api.conftest import Build
from tests.app.api.factor_owner import CONTINUE, VERIFY, Owner
from tests.app.api.service import (
    NEW,
    PASSWORD,
    Service,
    basic,
    cookie_name,
    session_id_of,
    stored_user,
)
from tests.clocks import SetClock
from tests.serving import LOGIN, ME, ROOT
from tests.soft_authenticator import UP, SoftAuthenticator
from vestibule.accounts.permissions import LOCAL
from vestibule.accounts.recovery import issue_code, issue_factor_reset
from vestibule.accounts.users import create_setup_code, invite
from vestibule.core import clock
from vestibule.core.assurance import ACR_PREFIX
from vestibule.core.crypto import digest_of, new_key
from vestibule.db import factors, host_sessions
from vestibule.db.host_sessions import Code
from vestibule.db.models.user import User
from vestibule.sessions.facts import facts_of_session, level_of
from vestibule.web import routes

PAGE = ROOT / "docs/security.md"
PASSKEYS = "/api/v1/auth_session/factors/passkey"
SIGN_IN = "/api/v1/auth_session/passkey"
HEADER = "X-Vestibule-Identity"
RESET = "/api/v1/auth_session/reset"
SETTINGS = {
    "WEB_PAGES": "on",
    "REGISTRATION": "open",
    "AUTHZ_POLICY": "self",
    "IDENTITY_HEADER": "on",
    "IDENTITY_HOSTS": "localhost",
    "PUBLIC_URL": "http://localhost",
}
NONE = "not possible"


class Scene:
    """A service and a user, with an app or without."""

    def __init__(self, build: Build, has_app: bool) -> None:
        """Build the service; store the user."""
        self.service: Service = build("session_db_auth", **SETTINGS)
        self.build = build
        self.owner = Owner() if has_app else None
        self.user = self.owner.user if self.owner else stored_user()

    def level(self, client: FlaskClient) -> str:
        """Return the level of the client's session, or why there is none."""
        if client.get_cookie(cookie_name()) is None:
            waits = client.get_cookie("vestibule_login") is not None
            return "waits for the second factor" if waits else "no session"
        session = self.service.mechanism.store.find(session_id_of(client))
        assert session is not None
        facts = facts_of_session(session)
        level = f"level {level_of(facts)}"
        return f"{level}, recovery only" if facts.recovered else level

    def post(self, path: str, **form: str) -> str:
        """Post a form with a new client; return the level it reaches."""
        client = self.service.client()
        client.post(path, data=form)
        return self.level(client)

    def with_password(self, path: str) -> str:
        """Give email and password."""
        return self.post(path, email=str(self.user.email), password=PASSWORD)

    def as_json(self) -> str:
        """Log in by JSON."""
        client = self.service.client()
        client.post(
            LOGIN, json={"email": self.user.email, "password": PASSWORD}
        )
        return self.level(client)

    def then(self, **body: str) -> FlaskClient:
        """Log in, and continue with a second factor."""
        client, _ = self.service.log_in(self.user)
        client.post(CONTINUE, json=body)
        return client

    def code(self) -> str:
        """Continue with the code of an app."""
        if self.owner is None:
            return NONE
        return self.level(self.then(code=self.owner.code()))

    def recovery_code(self) -> str:
        """Continue with a recovery code."""
        if self.owner is None:
            return NONE
        return self.level(self.then(recovery_code=self.owner.recovery[0]))

    def enroll(self) -> SoftAuthenticator:
        """Add a passkey of the user."""
        client, device = self.session(), SoftAuthenticator()
        options = client.post(f"{PASSKEYS}/options").get_json()
        body = {"name": "x", "passkey": device.create(options)}
        assert client.post(PASSKEYS, json=body).status_code == 201
        return device

    def passkey(self) -> str:
        """Sign in by a passkey alone."""
        if self.owner is None:
            return NONE
        device, client = self.enroll(), self.service.client()
        options = client.post(f"{SIGN_IN}/options").get_json()
        client.post(SIGN_IN, json={"passkey": device.get(options)})
        return self.level(client)

    def passkey_after_password(self) -> str:
        """Continue by a passkey that does not verify the user."""
        if self.owner is None:
            return NONE
        device = self.enroll()
        device.flags = UP
        client, _ = self.service.log_in(self.user)
        options = client.post(f"{CONTINUE}/options").get_json()
        client.post(CONTINUE, json={"passkey": device.get(options)})
        return self.level(client)

    def session(self) -> FlaskClient:
        """Return a client that is signed in with all it needs."""
        if self.owner is None:
            return self.service.client_for(self.user)
        return self.then(code=self.owner.code())

    def reset(self, path: str = RESET) -> str:
        """Set a forgotten password by a code from an admin."""
        return self.post(
            path,
            email=str(self.user.email),
            code=issue_code(self.user).code,
            new_password=NEW,
        )

    def invitation(self, path: str = RESET) -> str:
        """Set the first password by the code of an invitation."""
        if self.owner is not None:
            return NONE
        made = invite("guest@example.com")
        return self.post(
            path,
            email="guest@example.com",
            code=made.code.code,
            new_password=NEW,
        )

    def registration(self) -> str:
        """Register on the page."""
        if self.owner is not None:
            return NONE
        return self.post(
            "/register", email="new@example.com", password="violet umbrella"
        )

    def first_run(self) -> str:
        """Create the first admin on the page."""
        if self.owner is not None:
            return NONE
        self.user.remove()
        made = create_setup_code()
        assert made is not None
        return self.post(
            "/setup",
            code=made.code,
            email="first@example.com",
            password="violet umbrella",
        )

    def trusted_browser(self) -> str:
        """Log in again where the second factor was given before."""
        if self.owner is None:
            return NONE
        client = self.then(code=self.owner.code(), trust="on")
        form = {"email": str(self.user.email), "password": PASSWORD}
        client.post(LOGIN, data=form)
        session = self.service.mechanism.store.find(session_id_of(client))
        assert session is not None
        methods = facts_of_session(session).methods
        assert methods == ("pwd", "trusted_browser")
        return f"{self.level(client)}, trusted browser"

    def factor_reset(self) -> str:
        """Remove the factors by the code of an admin, and the password."""
        if self.owner is None:
            return NONE
        issued = issue_factor_reset(self.user, actor=LOCAL)
        level = self.post(
            "/api/v1/auth_session/factor-reset",
            email=str(self.user.email),
            password=PASSWORD,
            code=issued.code,
        )
        assert not factors.has_any(self.user.id)
        return f"{level}, the factors are gone"

    def basic(self) -> str:
        """Send the password with each request."""
        client = self.build("basic_auth", **SETTINGS).client()
        headers = {"Authorization": basic(self.user)}
        status = client.get(ME, headers=headers).status_code
        return {200: "level 1, no session", 403: "refused"}[status]

    def signed_identity(self) -> str:
        """Return the level in the token of a full session."""
        token = self.session().get(VERIFY).headers[HEADER]
        claims: dict[str, Any] = jwt.decode(
            token, options={"verify_signature": False}
        )
        return (
            f"level {claims['acr'].removeprefix(ACR_PREFIX)}, as its session"
        )

    def in_process(self) -> str:
        """Begin a session by the class, as a script does."""
        mechanism = self.service.mechanism
        session_id = mechanism.create_session(self.user.id)
        return self.level(self.service.client_with_session(session_id))

    def hand_over(self) -> str:
        """Continue a full session on the host of an application."""
        store = self.service.mechanism.store
        parent = store.find(session_id_of(self.session()))
        code = Code("code", "app.example", "state")
        assert host_sessions.add_code(code, parent.id, "/", clock.now())
        secret = "host.secret"
        host_sessions.redeem_code(code, digest_of(secret), clock.now())
        level = level_of(facts_of_session(store.find(secret)))
        return f"level {level}, as its session"


#: Each way in, as the table names it.
WAYS: dict[str, Callable[[Scene], str]] = {
    "login form of the API": lambda s: s.with_password(LOGIN),
    "login of the API by JSON": Scene.as_json,
    "sign-in page": lambda s: s.with_password("/sign-in"),
    "password, then a code of an app": Scene.code,
    "password, then a recovery code": Scene.recovery_code,
    "passkey alone": Scene.passkey,
    "password, then a passkey": Scene.passkey_after_password,
    "registration page": Scene.registration,
    "code of the first run": Scene.first_run,
    "reset code": Scene.reset,
    "invitation": Scene.invitation,
    "reset code on the page": lambda s: s.reset(routes.RESET),
    "invitation on the page": lambda s: s.invitation(routes.INVITATION),
    "password in a trusted browser": Scene.trusted_browser,
    "code that removes the factors, with the password": Scene.factor_reset,
    "HTTP Basic": Scene.basic,
    "signed identity": Scene.signed_identity,
    "`create_session` of the class, in process": Scene.in_process,
    "hand-over to an application's host": Scene.hand_over,
}
ROW = re.compile(r"^\| (.+) \| (.+) \| (.+) \|$", re.MULTILINE)


def documented() -> list[tuple[str, str, str]]:
    """Return the rows of the table in docs/security.md."""
    text = PAGE.read_text().partition("| way in |")[2].partition("\n\n")[0]
    return [row for row in ROW.findall(text) if row[0] != "---"]


@pytest.fixture(autouse=True)
def with_key(monkeypatch: pytest.MonkeyPatch, set_clock: SetClock) -> None:
    """Set a key for secrets, and stop the clock."""
    monkeypatch.setenv("SECRETS_KEY", new_key())


def test_table_has_each_way_in() -> None:
    """A new way in is a new row."""
    assert [row[0] for row in documented()] == list(WAYS)


@pytest.mark.parametrize("way", WAYS)
def test_way_in_reaches_the_documented_level(
    build: Build, set_clock: SetClock, way: str
) -> None:
    """The row says what happens to a user without and with an app."""
    reached = []
    for has_app in (False, True):
        for each in User.all():
            each.remove()
        scene = Scene(build, has_app)
        set_clock.advance(30)
        reached.append(WAYS[way](scene))
    (row,) = [each for each in documented() if each[0] == way]
    assert tuple(reached) == row[1:]
