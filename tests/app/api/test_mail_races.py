#!/usr/bin/env python3
"""Mails whose links meet: at once, after a deletion, after their expiry."""

from typing import Any

import pytest

from tests.app.api.conftest import Build
from tests.app.api.service import NEW, Service, stored_user
from tests.app.api.test_mail import (
    CONFIRM,
    EMAIL,
    UNDO,
    WRONG_LINK,
    ask,
    reset_by,
)
from tests.clocks import SetClock
from tests.mail_server import Inbox, running
from tests.mailbox import Mailbox, token_of
from tests.threads import at_once
from vestibule.accounts.users import remove
from vestibule.db import mail_search
from vestibule.db.models.user import User
from vestibule.mail.outbox import send_due


@pytest.fixture
def service(build: Build, mailbox: Mailbox) -> Service:
    """Return a service with mail."""
    return build("session_db_auth")


def test_undo_after_the_account_was_deleted_is_refused(
    service: Service, mailbox: Mailbox
) -> None:
    """A new account with one of the addresses is not touched."""
    user = stored_user()
    client, before = service.client_for(user), str(user.email)
    mailbox.deliver()
    client.put(EMAIL, json={"email": "new@example.com"})
    (mail,) = mailbox.deliver()
    service.client().post(CONFIRM, data={"token": token_of(mail)})
    notice = mailbox.deliver()[0]
    assert notice["To"] == before
    changed = User.get_committed(user.id)
    assert changed is not None
    remove(changed)
    others = [
        stored_user(email=address) for address in (before, "new@example.com")
    ]
    for _ in range(2):
        undone = service.client().post(UNDO, data={"token": token_of(notice)})
        assert (undone.status_code, undone.get_json()) == (400, WRONG_LINK)
    assert User.get_committed(user.id) is None
    for other in others:
        assert User.get_committed(other.id) == other


@pytest.mark.parametrize("links", [1, 2])
def test_of_resets_at_once_one_sets_a_password(
    service: Service, mailbox: Mailbox, set_clock: SetClock, links: int
) -> None:
    """That holds for one link, and for those of two mails."""
    user, tokens = stored_user(), []
    for _ in range(links):
        ask(service.client(), str(user.email))
        (mail,) = mailbox.deliver()
        tokens.append(token_of(mail))
        set_clock.advance(61)
    chosen = [f"{NEW} {number}" for number in range(4)]
    statuses = at_once(
        4,
        lambda number: reset_by(
            service.client(), tokens[number % links], chosen[number]
        ),
    )
    assert sorted(statuses) == [200, 400, 400, 400]
    stored = User.get_committed(user.id)
    assert stored is not None
    assert stored.is_valid_password(chosen[statuses.index(200)])


class LateInbox(Inbox):
    """A mail server that needs an hour for each mail."""

    def __init__(self, set_clock: SetClock) -> None:
        """Move this clock."""
        super().__init__()
        self._clock = set_clock

    async def handle_DATA(
        self, server: Any, session: Any, envelope: Any
    ) -> str:
        """Take a mail after an hour."""
        self._clock.advance(3600)
        return await super().handle_DATA(server, session, envelope)


def test_mail_that_expires_within_its_lease_is_not_sent(
    service: Service, set_clock: SetClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It waits for another one of the same lease, to a slow server."""
    users = [stored_user(), stored_user()]
    for user in users:
        ask(service.client(), str(user.email))
    inbox = LateInbox(set_clock)
    with running(inbox) as port:
        monkeypatch.setenv("MAIL_URL", f"smtp://127.0.0.1:{port}")
        assert send_due() == 2
        assert send_due() == 0
    assert len(inbox.received) == 1
    states = {(one.state, one.error) for one in mail_search.newest(9)}
    assert states == {("sent", None), ("failed", "expired")}
