#!/usr/bin/env python3
"""Links that are altered, of another user or opened by a scanner; loops."""

from collections.abc import Sequence

import pytest

from tests.app.api.conftest import Build
from tests.app.api.service import NEW, RESET, Service, stored_user
from tests.app.api.test_mail import (
    CONFIRM,
    EMAIL,
    FORGOT,
    UNDO,
    WRONG_LINK,
    ask,
    reset_by,
)
from tests.clocks import SetClock
from tests.mail_server import Inbox, running
from tests.mailbox import Mailbox, token_of
from vestibule.core.mail_settings import MAIL_FROM
from vestibule.db import mail_search
from vestibule.db.models.user import User
from vestibule.db.outgoing_mails import RETRY_WAITS
from vestibule.mail.outbox import send_due


@pytest.fixture
def service(build: Build, mailbox: Mailbox) -> Service:
    """Return a service with mail."""
    return build("session_db_auth")


def states() -> list[tuple[str, str | None]]:
    """Return the states and errors of all mails."""
    return [(one.state, one.error) for one in mail_search.newest(99)]


def test_altered_link_is_refused(service: Service, mailbox: Mailbox) -> None:
    """So is the token of one purpose at the route of another one."""
    user = stored_user()
    ask(service.client(), str(user.email))
    token = token_of(mailbox.deliver()[0])
    other = "A" if token[0] != "A" else "B"
    for wrong in (
        other + token[1:],
        token[:-1],
        token + "A",
        token.swapcase(),
        f"{token}\0",
        "x" * 10_000,
    ):
        assert reset_by(service.client(), wrong) == 400, wrong
    for path in (CONFIRM, UNDO):
        answer = service.client().post(path, data={"token": token})
        assert (answer.status_code, answer.get_json()) == (400, WRONG_LINK)
    assert reset_by(service.client(), token) == 200


def test_link_of_another_user_changes_that_user_alone(
    service: Service, mailbox: Mailbox
) -> None:
    """A session and an email in the form make no difference."""
    user, thief = stored_user(), stored_user()
    client = service.client_for(thief)
    mailbox.deliver()
    ask(client, str(thief.email))
    token = token_of(mailbox.deliver()[0])
    form = {"token": token, "new_password": NEW, "email": user.email}
    assert client.post(RESET, data=form).status_code == 200
    stored = User.get_committed(user.id)
    assert stored is not None and not stored.is_valid_password(NEW)
    assert service.log_in(thief, NEW)[1].status_code == 200


def test_scanner_uses_no_link_up(service: Service, mailbox: Mailbox) -> None:
    """It sends GET, HEAD and GET again, with the token, from elsewhere."""
    user = stored_user()
    ask(service.client(), str(user.email))
    token = token_of(mailbox.deliver()[0])
    for path in (RESET, CONFIRM, UNDO, FORGOT):
        for method in ("GET", "HEAD", "GET", "OPTIONS"):
            service.client().open(
                path,
                method=method,
                query_string={"token": token, "new_password": NEW},
                environ_base={"REMOTE_ADDR": "192.0.2.7"},
            )
    assert reset_by(service.client(), token) == 200


def test_change_of_the_email_ends_a_reset(
    service: Service, mailbox: Mailbox
) -> None:
    """The link went to the previous address; the undo gives it no life."""
    user = stored_user()
    client = service.client_for(user)
    mailbox.deliver()
    client.put(EMAIL, json={"email": "new@example.com"})
    change = token_of(mailbox.deliver()[0])
    ask(service.client(), str(user.email))
    reset = token_of(mailbox.deliver()[-1])
    changed = service.client().post(CONFIRM, data={"token": change})
    assert changed.status_code == 200
    assert reset_by(service.client(), reset) == 400
    notice = token_of(mailbox.deliver()[0])
    undone = service.client().post(UNDO, data={"token": notice})
    assert undone.status_code == 200
    assert reset_by(service.client(), reset) == 400


@pytest.mark.parametrize("length", [254, 255, 300])
def test_long_address_is_sent_to_or_refused(
    service: Service, mailbox: Mailbox, length: int
) -> None:
    """SMTP takes 254 characters at most (RFC 5321, 4.5.3.1.3)."""
    host = ".".join(["d" * 60] * 3) + ".example"
    local = length - len(host) - 1
    email = f"{'x' * min(local, 64)}@{'h' * max(local - 65, 0)}"
    email += "." * (local > 65) + host
    answer = service.client().post(FORGOT, data={"email": email})
    assert answer.status_code in ((202, 400) if length == 254 else (400,))
    assert mailbox.deliver() == []


def test_mail_of_a_loop_ends_at_once(
    service: Service, mailbox: Mailbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A server that counts too many hops refuses it for good.

    No notice is sent of that, and our own sender's address is one like
    another: an automatic answer to it starts nothing.
    """
    sender = MAIL_FROM.read()
    assert sender is not None
    stored_user(email=sender.addr_spec)
    ask(service.client(), sender.addr_spec)
    inbox = Inbox("554 5.4.6 too many hops")
    with running(inbox) as port:
        monkeypatch.setenv("MAIL_URL", f"smtp://127.0.0.1:{port}")
        assert send_due() == 1
        assert send_due() == 0
    assert states() == [("failed", "554 5.4.6 too many hops")]


def ask_and_send(
    service: Service,
    users: Sequence[User],
    inbox: Inbox,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Ask for a mail to each user, and send all to a server with `inbox`."""
    for user in users:
        ask(service.client(), str(user.email))
    with running(inbox) as port:
        monkeypatch.setenv("MAIL_URL", f"smtp://127.0.0.1:{port}")
        while send_due():
            pass


def test_refused_mail_holds_no_other_up(
    service: Service, mailbox: Mailbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One server refuses an address for good, and one for now."""
    users = [stored_user() for _ in range(4)]
    inbox = Inbox()
    inbox.recipients[str(users[0].email)] = "550 no such user"
    inbox.recipients[str(users[1].email)] = "450 greylisted"
    ask_and_send(service, users, inbox, monkeypatch)
    assert len(inbox.received) == 2
    assert inbox.connections == 1
    assert sorted(states(), key=str) == [
        ("failed", "550 no such user"),
        ("queued", "450 greylisted"),
        ("sent", None),
        ("sent", None),
    ]


def test_closed_connection_holds_no_mail_up(
    service: Service, mailbox: Mailbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A server ends the connection at one mail; a new one has the others."""
    users = [stored_user() for _ in range(4)]
    inbox = Inbox()
    inbox.recipients[str(users[1].email)] = "421 too many mails"
    ask_and_send(service, users, inbox, monkeypatch)
    assert (len(inbox.received), inbox.connections) == (3, 2)
    found = mail_search.newest(9)
    waiting = [one.error for one in found if one.state == "queued"]
    assert waiting == ["421 too many mails"]
    assert [one.tries for one in found] == [1] * 4


@pytest.mark.slow
def test_mail_is_tried_again_later_and_never_after_its_expiry(
    service: Service,
    mailbox: Mailbox,
    monkeypatch: pytest.MonkeyPatch,
    set_clock: SetClock,
) -> None:
    """The waits grow; a link of an hour has four attempts and no fifth."""
    user = stored_user()
    ask(service.client(), str(user.email))
    begun, tries = set_clock.moment, []
    with running(Inbox("451 later")) as port:
        monkeypatch.setenv("MAIL_URL", f"smtp://127.0.0.1:{port}")
        for _ in range(4 * 60 * 6):
            if send_due():
                tries.append((set_clock.moment - begun).total_seconds())
            set_clock.advance(10)
    waits = [wait.total_seconds() for wait in RETRY_WAITS]
    expected = [0.0]
    while expected[-1] + waits[len(expected) - 1] < 3600:
        expected.append(expected[-1] + waits[len(expected) - 1])
    assert tries == expected
    assert states() == [("failed", "451 later")]
