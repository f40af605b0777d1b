#!/usr/bin/env python3
"""The page of my account where the database fails in the middle."""

from typing import Any

import pytest

from tests.app.api.conftest import Build
from tests.app.api.house import House, stored_user
from tests.app.web.test_account import FORMS, PATH, signed_in
from tests.clocks import SetClock
from vestibule.core.errors import ServiceBusy
from vestibule.web import account


@pytest.fixture
def house(build: Build, moved_clock: SetClock) -> House:
    """Return a house with pages."""
    return build("session_db_auth", WEB_PAGES="on", THROTTLE="on")


@pytest.mark.parametrize(
    ("path", "rule"),
    [
        ("/account/email", "change_email"),
        ("/account/delete", "remove"),
    ],
)
def test_who_proved_the_password_stays_in_though_it_fails(
    house: House,
    moved_clock: SetClock,
    monkeypatch: pytest.MonkeyPatch,
    path: str,
    rule: str,
) -> None:
    """The page of the error has the new id: the old one is dead."""

    def fail(*_: Any, **__: Any) -> None:
        """Do what a database does that stays locked."""
        raise ServiceBusy("busy", 1)

    user = stored_user()
    visitor = signed_in(house, user)
    moved_clock.advance(301)
    monkeypatch.setattr(account, rule, fail)
    answer = visitor.post(path, FORMS[path.rpartition("/")[2]])
    assert answer.status_code == 503
    assert visitor.get(PATH).status_code == 200
