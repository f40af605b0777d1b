#!/usr/bin/env python3
"""`mail`: a test mail, the list, retry and drop, and sending from cron."""

import json
from datetime import timedelta
from pathlib import Path

import pytest

from tests.clocks import SetClock
from tests.mail_server import Inbox, running
from tests.mailbox import Mailbox, plain
from tests.unit.cli.conftest import Run
from vestibule.audit.writer import audit_writer
from vestibule.cli.arguments import current_actor
from vestibule.db import mail_search, outgoing_mails
from vestibule.db.events import EventFilter, fetch_page
from vestibule.db.outgoing_mails import NewMail, OutgoingMail
from vestibule.mail.notices import MailKind

pytestmark = pytest.mark.usefixtures("on_sqlite")


@pytest.fixture
def mailbox(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Mailbox:
    """Send mails to a folder."""
    mails = Mailbox(tmp_path / "mails")
    mails.configure(monkeypatch)
    return mails


def queued(number: int = 1) -> list[OutgoingMail]:
    """Queue so many mails to Bob; return all of the queue."""
    mail = NewMail(
        MailKind.ROLE_CHANGED,
        "bob@example.com",
        timedelta(hours=1),
        user_id="bob",
        detail={"role": "admin"},
    )
    outgoing_mails.add([mail] * number)
    return mail_search.newest(99)


def stored(id: str) -> OutgoingMail:
    """Return the mail with this id as the database has it."""
    (mail,) = mail_search.find([id])
    return mail


def test_test_mail_is_sent_at_once(run: Run, mailbox: Mailbox) -> None:
    """It goes round the queue, in the language that is asked for."""
    done = run("mail", "test", "bob@example.com", "--language", "fr", "--json")
    assert done.exit_code == 0, done.output
    assert json.loads(done.stdout)["address"] == "bob@example.com"
    (mail,) = mailbox.all()
    assert (mail["To"], mail["Content-Language"]) == ("bob@example.com", "fr")
    assert mail_search.newest(9) == []


@pytest.mark.parametrize(
    ("address", "told"),
    [
        ("bob@example.com\nBcc: eve@example.com", "not an email"),
        ("bob", "not an email"),
        ("bob@example.com", "550 no such mailbox"),
    ],
)
def test_test_mail_that_is_refused_is_an_error(
    run: Run,
    mailbox: Mailbox,
    monkeypatch: pytest.MonkeyPatch,
    address: str,
    told: str,
) -> None:
    """The reply of the server is shown."""
    with running(Inbox("550 no such mailbox")) as port:
        monkeypatch.setenv("MAIL_URL", f"smtp://127.0.0.1:{port}")
        done = run("mail", "test", address)
    assert done.exit_code == 1
    assert told in done.output and "Traceback" not in done.output


@pytest.mark.parametrize("command", ["test bob@example.com", "send"])
def test_without_a_server_nothing_is_sent(run: Run, command: str) -> None:
    """The error names the setting."""
    done = run("mail", *command.split())
    assert done.exit_code == 1 and "MAIL_URL is not set" in done.output


def test_send_delivers_what_is_due(run: Run, mailbox: Mailbox) -> None:
    """More than one lease of it; the mails of later stay."""
    queued(131)
    (later,) = outgoing_mails.lease(1)
    outgoing_mails.mark_failed([later], "451 later", permanent=False)
    done = run("mail", "send", "--json")
    assert json.loads(done.stdout) == {"tried": 130, "queued": 1}
    assert len(mailbox.all()) == 130


def test_list_shows_states_and_errors_and_no_text(
    run: Run, mailbox: Mailbox
) -> None:
    """The newest come first, as a table and as JSON."""
    failed = queued()[0]
    outgoing_mails.mark_failed([failed], "550 no \x1b[2J box", permanent=True)
    queued()
    rows = json.loads(run("mail", "list", "--json").stdout)
    assert {row["state"] for row in rows} == {"queued", "failed"}
    assert all("detail" not in row for row in rows)
    shown = run("mail", "list", "--state", "failed").stdout
    assert failed.id in shown and "550 no" in shown
    assert "queued" not in shown and "\x1b" not in shown


def test_retry_sends_a_failed_mail_and_is_an_event(
    run: Run, mailbox: Mailbox
) -> None:
    """The event names the user of the process, the mail's user and kind."""
    (failed,) = queued()
    outgoing_mails.mark_failed([failed], "550 full", permanent=True)
    assert run("mail", "send", "--json").stdout.startswith('{"tried": 0')
    done = run("mail", "retry", failed.id, "--json")
    assert json.loads(done.stdout) == {"queued": 1}
    run("mail", "send")
    (mail,) = mailbox.all()
    assert "role" in plain(mail) and stored(failed.id).state == "sent"
    assert audit_writer().flush()
    (event,) = fetch_page(EventFilter(kind="mail_retried"), 9).events
    assert (event.user_id, event.by_id, event.reason) == (
        "bob",
        current_actor().id,
        "role_changed",
    )


def test_drop_ends_a_queued_mail_and_is_an_event(
    run: Run, mailbox: Mailbox
) -> None:
    """It stays in the list, and an id of none is an error without event."""
    (mail,) = queued()
    done = run("mail", "drop", mail.id, "no such id")
    assert done.exit_code == 1 and "no such id" in done.output
    assert (stored(mail.id).state, stored(mail.id).error) == (
        "failed",
        "dropped",
    )
    assert run("mail", "drop", mail.id).exit_code == 1
    run("mail", "send")
    assert mailbox.all() == []
    assert audit_writer().flush()
    (event,) = fetch_page(EventFilter(kind="mail_dropped"), 9).events
    assert (event.user_id, event.by_id) == ("bob", current_actor().id)


def test_sent_and_expired_mails_are_not_sent_again(
    run: Run, mailbox: Mailbox, set_clock: SetClock
) -> None:
    """Neither is an event."""
    (sent,) = queued()
    run("mail", "send")
    old = next(one for one in queued() if one.id != sent.id)
    set_clock.advance(3601)
    done = run("mail", "retry", sent.id, old.id)
    assert done.exit_code == 1 and old.id in done.output
    assert audit_writer().flush()
    assert fetch_page(EventFilter(kind="mail_retried"), 9).events == []
    assert len(mailbox.all()) == 1
