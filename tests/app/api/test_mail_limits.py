#!/usr/bin/env python3
"""The bounds of mail: per address, network and hour; faults of the queue."""

import pytest

from tests.app.api.conftest import Build
from tests.app.api.service import Service, stored_user
from tests.clocks import SetClock
from tests.mailbox import Mailbox
from tests.threads import at_once
from vestibule.accounts import mail_flows
from vestibule.accounts.mail_flows import MAX_PER_NETWORK
from vestibule.accounts.permissions import Actor
from vestibule.core.errors import Throttled
from vestibule.db import mail_search

#: Requests for one address, or for as many addresses.
MANY = (200, pytest.param(10_000, marks=pytest.mark.torture))


@pytest.fixture
def service(build: Build, mailbox: Mailbox) -> Service:
    """Return a service with mail."""
    return build("session_db_auth")


def asking(number: int) -> Actor:
    """Return an anonymous client of a network of its own."""
    return Actor(address=f"10.{number >> 8}.{number & 255}.1")


@pytest.mark.parametrize("many", MANY)
def test_many_requests_for_one_address_queue_one_mail(
    service: Service, mailbox: Mailbox, set_clock: SetClock, many: int
) -> None:
    """They come from as many networks, and store nothing more.

    The clock stands still: a minute later there may be another mail.
    """
    user = stored_user()
    for number in range(many):
        mail_flows.ask_for_reset(user.email, actor=asking(number))
    assert len(mail_search.newest(99)) == 1
    assert len(mailbox.deliver()) == 1


@pytest.mark.parametrize("many", MANY)
def test_requests_of_one_network_for_many_addresses_are_refused(
    service: Service, mailbox: Mailbox, many: int
) -> None:
    """The queue has no more rows than the limit."""
    refused = 0
    for number in range(many):
        try:
            mail_flows.ask_for_reset(f"{number}@example.com", actor=asking(1))
        except Throttled:
            refused += 1
    assert refused == many - MAX_PER_NETWORK
    assert mail_search.newest(99) == []


def test_requests_for_one_address_at_once_queue_one_mail(
    service: Service, mailbox: Mailbox
) -> None:
    """Each looks at the queue before any other has stored its mail."""
    user = stored_user()
    at_once(
        8,
        lambda number: mail_flows.ask_for_reset(
            user.email, actor=asking(number)
        ),
    )
    assert len(mail_search.newest(99)) == 1


def test_mails_of_an_hour_are_limited(
    service: Service,
    mailbox: Mailbox,
    monkeypatch: pytest.MonkeyPatch,
    set_clock: SetClock,
) -> None:
    """The others wait; rows for addresses without an account do not count."""
    monkeypatch.setenv("MAIL_PER_HOUR", "5")
    for number in range(8):
        mail_flows.ask_for_reset(f"{number}@example.com", actor=asking(number))
    mailbox.deliver()
    users = [stored_user() for _ in range(8)]
    for number, user in enumerate(users):
        mail_flows.ask_for_reset(user.email, actor=asking(number))
    assert len(mailbox.deliver()) == 5
    set_clock.advance(3599)
    assert mailbox.deliver() == []
    states = [one.state for one in mail_search.newest(99)]
    assert sorted(states) == ["queued"] * 3 + ["sent"] * 5
    monkeypatch.setenv("MAIL_PER_HOUR", "8")
    assert len(mailbox.deliver()) == 3
