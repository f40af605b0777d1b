#!/usr/bin/env python3
"""A stranger goes from registration to undo, by a real SMTP server.

Afterwards nothing that was stored or logged opens what the mails contained.
"""

import re
from collections.abc import Sequence
from email.message import EmailMessage
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text

from tests.app.api.conftest import Build
from tests.app.api.service import NEW, PASSWORD, Service, stored_user
from tests.app.web.browser import Browser
from tests.clocks import SetClock
from tests.mail_server import Inbox, running
from tests.mailbox import ORIGIN, SENDER, code_of, link_of, plain, token_of
from vestibule.audit.writer import audit_writer
from vestibule.core import settings
from vestibule.core.crypto import digest_of
from vestibule.db.engine import database
from vestibule.mail.outbox import MailSender, send_due

ADA, COUNTESS = "ada@example.com", "countess@example.com"


class Post:
    """The mails of an SMTP server, in the order of their arrival."""

    def __init__(self, inbox: Inbox) -> None:
        """Read none yet."""
        self.inbox, self._read = inbox, 0

    def next(self, to: str) -> EmailMessage:
        """Send what is due; return the one new mail, which went to `to`."""
        while send_due():
            pass
        read = self._read
        (mail,) = self.inbox.received[read:]
        self._read += 1
        assert mail["To"] == to
        return mail

    def secrets(self) -> list[str]:
        """Return all tokens and codes that arrived."""
        found = []
        for mail in self.inbox.received:
            found += re.findall(r"#token=(\S+)", plain(mail))
            found += re.findall(
                r"^([0-9A-Z]{4}-[0-9A-Z]{4})$", plain(mail), re.M
            )
        return found


def walk(
    service: Service, post: Post, set_clock: SetClock
) -> list[EmailMessage]:
    """Register, confirm, forget, reset, change and undo; return the mails."""
    browser = Browser(service)
    browser.post("/register", {"email": ADA, "password": PASSWORD})
    welcome = post.next(ADA)
    browser.post("/confirm", {"token": link_of(welcome)})
    assert "This email is confirmed." in browser.get("/account").text
    set_clock.advance(61)
    forgetful = Browser(service)
    forgetful.post("/forgot", {"email": ADA})
    reset = post.next(ADA)
    form = {"email": ADA, "code": code_of(reset), "new_password": NEW}
    assert forgetful.post("/reset", form).status_code == 303
    changed = post.next(ADA)
    assert "password was changed" in str(changed["Subject"])
    other = Browser(service)
    signed_in = other.post("/sign-in", {"email": ADA, "password": NEW})
    assert signed_in.status_code == 303
    device = post.next(ADA)
    assert "New sign-in" in str(device["Subject"])
    other.post("/account/email", {"email": COUNTESS, "password": NEW})
    change = post.next(COUNTESS)
    assert other.post("/confirm", {"token": link_of(change)}).status_code == (
        303
    )
    notice = post.next(ADA)
    undone = Browser(service).post("/undo", {"token": link_of(notice)})
    assert undone.status_code == 303
    assert other.get("/account").status_code == 303
    again = Browser(service).post("/sign-in", {"email": ADA, "password": NEW})
    assert again.status_code == 303
    return [welcome, reset, change, notice]


def test_stranger_walks_by_smtp_and_leaves_no_secret(
    build: Build,
    set_clock: SetClock,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Dump, files and log are searched; what they have opens nothing."""
    monkeypatch.setattr(MailSender, "ensure_running", lambda self: None)
    stored_user("admin", "admin@example.com")
    inbox = Inbox()
    with running(inbox) as port, caplog.at_level("DEBUG"):
        service = build(
            "session_db_auth",
            WEB_PAGES="on",
            REGISTRATION="open",
            AUTHZ_POLICY="self",
            MAIL_URL=f"smtp://127.0.0.1:{port}",
            MAIL_FROM=SENDER,
            PUBLIC_URL=ORIGIN,
        )
        post = Post(inbox)
        mails = walk(service, post, set_clock)
        set_clock.advance(61)
        # A link that is still valid when the dump is taken.
        Browser(service).post("/forgot", {"email": ADA})
        mails.append(post.next(ADA))
    secrets = post.secrets()
    assert len(secrets) >= len(mails)
    assert {token_of(mail) for mail in mails} <= set(secrets)
    assert audit_writer().flush()
    stored, dump = _database()
    # The server of this test logs what it reads.
    log = "\n".join(
        one.getMessage()
        for one in caplog.records
        if not one.name.startswith("mail.")
    )
    assert "(reset) was sent" in log
    for secret in secrets:
        assert secret not in dump and secret not in log
        assert secret.encode() not in stored
    _try_all(service, dump, digest_of(token_of(mails[-1])))


def _database() -> tuple[bytes, str]:
    """Return the database's files, and its dump with the queue."""
    file = Path(settings.DATABASE_URL.read().removeprefix("sqlite:///"))
    stored = b"".join(
        each.read_bytes() for each in file.parent.glob(f"{file.name}*")
    )
    names: Sequence[Any] = database().fetch_all(
        text(
            "SELECT name FROM sqlite_master WHERE type = 'table'"
            " AND name NOT LIKE 'user_search%'"
        )
    )
    dump = "\n".join(
        f"{name} {tuple(row)!r}"
        for (name,) in names
        for row in database().fetch_all(text(f'SELECT * FROM "{name}"'))
    )
    assert ADA in dump and "outgoing_mails" in dump
    return stored, dump


def _try_all(service: Service, dump: str, digest: str) -> None:
    """Try each long value of the tokens' table as a token; all are refused."""
    rows = [
        line for line in dump.splitlines() if line.startswith("mail_tokens ")
    ]
    values = {
        value for line in rows for value in re.findall(r"'([^' ]{8,})'", line)
    }
    assert digest in values
    for value in values:
        for form in (
            {"code": f"{ORIGIN}/reset#token={value}", "new_password": NEW},
            {"email": ADA, "code": value, "new_password": NEW},
        ):
            answer = Browser(service).post("/reset", form)
            assert answer.status_code == 400, value
