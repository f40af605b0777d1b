#!/usr/bin/env python3
"""The page of my account where the database fails in the middle."""

from typing import Any

import pytest

from tests.app.api.conftest import Build
from tests.app.api.service import Service, stored_user
from tests.app.web.test_account import FORMS, PATH, signed_in
from tests.clocks import SetClock
from vestibule.core.errors import ServiceBusy
from vestibule.web import account


@pytest.fixture
def service(build: Build, set_clock: SetClock) -> Service:
    """Return a service with pages."""
    return build("session_db_auth", WEB_PAGES="on", THROTTLE="on")


@pytest.mark.parametrize(
    ("path", "rule"),
    [
        ("/account/email", "change_email"),
        ("/account/delete", "remove"),
    ],
)
def test_error_after_reauthentication_keeps_session(
    service: Service,
    set_clock: SetClock,
    monkeypatch: pytest.MonkeyPatch,
    path: str,
    rule: str,
) -> None:
    """The error page sets the new session id, as the old one is void."""

    def fail(*_: Any, **__: Any) -> None:
        """Do what a database does that stays locked."""
        raise ServiceBusy("busy", 1)

    user = stored_user()
    browser = signed_in(service, user)
    set_clock.advance(301)
    monkeypatch.setattr(account, rule, fail)
    answer = browser.post(path, FORMS[path.rpartition("/")[2]])
    assert answer.status_code == 503
    assert browser.get(PATH).status_code == 200
