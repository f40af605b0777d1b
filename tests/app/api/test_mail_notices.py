#!/usr/bin/env python3
"""Changes of an account and new sign-ins are told by mail."""

from datetime import timedelta

import pytest

from tests.app.api.conftest import Build
from tests.app.api.service import (
    NEW,
    PASSWORD,
    Service,
    stored_user,
)
from tests.clocks import SetClock
from tests.mailbox import Mailbox, link_of, plain
from tests.serving import LOGIN, ME
from vestibule.accounts.authentication import MIN_FAILURES
from vestibule.accounts.users import set_role


@pytest.fixture
def service(build: Build, mailbox: Mailbox) -> Service:
    """Return a service with mail."""
    return build("session_db_auth")


def test_change_of_the_password_is_told(
    service: Service, mailbox: Mailbox
) -> None:
    """The mail names the device, and leads to the page for a new one."""
    user = stored_user()
    client = service.client_for(user)
    mailbox.deliver()
    body = {"current_password": PASSWORD, "new_password": NEW}
    answer = client.put(
        f"{ME}/password", json=body, headers={"User-Agent": "Firefox/1"}
    )
    assert answer.status_code == 200
    (mail,) = mailbox.deliver()
    assert mail["Subject"] == "Your Vestibule password was changed"
    assert link_of(mail) == "https://auth.example.com/forgot"
    assert "with Firefox" in plain(mail)


def test_change_of_the_role_is_told(
    service: Service, mailbox: Mailbox
) -> None:
    """Also if a command makes it, which has no address."""
    user = stored_user()
    set_role(user, "admin")
    (mail,) = mailbox.deliver()
    assert mail["Subject"] == "Your role at Vestibule was changed"
    assert "changed to admin" in plain(mail)


def test_sign_in_with_a_new_browser_is_told(
    service: Service, mailbox: Mailbox, set_clock: SetClock
) -> None:
    """Not the first one, nor one with a known browser; rarely at most."""
    user = stored_user()
    known, _ = service.log_in(user)
    assert mailbox.deliver() == []
    service.log_in(user)
    (mail,) = mailbox.deliver()
    assert mail["Subject"] == "New sign-in to your Vestibule account"
    assert link_of(mail) == "https://auth.example.com/account/sessions"
    service.log_in(user)
    assert mailbox.deliver() == []
    set_clock.moment += timedelta(minutes=16)
    form = {"email": user.email, "password": PASSWORD}
    assert known.post(LOGIN, data=form).status_code == 200
    assert mailbox.deliver() == []
    forger = service.client()
    forger.set_cookie("vestibule_device", "A" * 22)
    forger.post(LOGIN, data=form)
    assert len(mailbox.deliver()) == 1


def test_user_can_switch_notices_of_new_devices_off(
    service: Service, mailbox: Mailbox
) -> None:
    """Wrong passwords before a right one are told all the same."""
    user = stored_user()
    user.device_notices = False
    user.save()
    service.log_in(user)
    service.log_in(user)
    assert mailbox.deliver() == []


def test_right_password_after_wrong_ones_is_told(
    build: Build, mailbox: Mailbox, set_clock: SetClock
) -> None:
    """The mail says how many there were (ASVS 5.0, 6.3.5)."""
    service = build("session_db_auth", THROTTLE="on")
    user = stored_user()
    for _ in range(MIN_FAILURES):
        service.log_in(user, "wrong")
        set_clock.moment += timedelta(minutes=1)
    assert service.log_in(user)[1].status_code == 200
    (mail,) = mailbox.deliver()
    assert mail["Subject"] == "Failed sign-ins to your Vestibule account"
    assert f"after {MIN_FAILURES} attempts" in plain(mail)
