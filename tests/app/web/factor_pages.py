#!/usr/bin/env python3
"""Users with an authenticator app, for the tests of its pages."""

import base64
from collections.abc import Iterator
from urllib.parse import urlsplit

import pytest

from tests.app.api.service import PASSWORD, Service, stored_user
from tests.app.web.browser import Browser
from tests.clocks import SetClock
from vestibule.accounts import totp
from vestibule.accounts.second_factors import begin_app, confirm_app
from vestibule.core import clock
from vestibule.core.crypto import new_key
from vestibule.db.models.user import User

SIGN_IN = "/sign-in"
STEP = "/account/second-factor"
BACK = "/inbox?page=2"
ME = "/api/v1/users/me"
FACTORS = "/account/factors"
SETTINGS = {"WEB_PAGES": "on"}


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
        return code_of(self.seed, offset)


def code_of(seed: bytes, offset: int = 0) -> str:
    """Return the code of a seed, some steps from now."""
    return totp.hotp(seed, totp.step_at(clock.now()) + offset)


@pytest.fixture(autouse=True)
def with_key(
    monkeypatch: pytest.MonkeyPatch, set_clock: SetClock
) -> Iterator[None]:
    """Set a key for secrets, and stop the clock."""
    monkeypatch.setenv("SECRETS_KEY", new_key())
    yield


@pytest.fixture
def owner(set_clock: SetClock) -> Owner:
    """Store a user with an app, whose next code is not used yet."""
    made = Owner()
    set_clock.advance(30)
    return made


def waiting(service: Service, user: User, **more: str) -> Browser:
    """Return a browser whose login waits for the second factor."""
    browser = Browser(service)
    form = {"email": str(user.email), "password": PASSWORD, **more}
    answer = browser.post(SIGN_IN, form)
    assert answer.status_code == 303
    assert urlsplit(answer.headers["Location"]).path == STEP
    return browser


def signed_in(service: Service, owner: Owner) -> Browser:
    """Return a browser that gave both factors."""
    browser = waiting(service, owner.user)
    answer = browser.post(STEP, {"code": owner.code()})
    assert answer.headers["Location"] == "/account"
    return browser
