#!/usr/bin/env python3
"""The thread that sends mails does not work beside the requests for them."""

import threading
from datetime import timedelta
from pathlib import Path

import pytest

from tests.mailbox import ORIGIN, SENDER
from vestibule.db import outgoing_mails
from vestibule.db.outgoing_mails import NewMail
from vestibule.mail.notices import MailKind
from vestibule.mail.outbox import PAUSE_SECONDS, MailSender


class Pause(threading.Event):
    """Ends at once, and records how long it was and what had been sent."""

    def __init__(self, folder: Path) -> None:
        """Look at the mails in `folder`."""
        super().__init__()
        self.begun = threading.Event()
        self.seen: list[tuple[float | None, int]] = []
        self._folder = folder

    def wait(self, timeout: float | None = None) -> bool:
        """Record the seconds and the number of sent mails."""
        self.seen.append((timeout, len(list(self._folder.glob("*.eml")))))
        self.begun.set()
        return self.is_set()


def test_mail_waits_for_the_end_of_its_request(
    on_sqlite: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The time of a response does not show that a mail is made."""
    monkeypatch.setenv("MAIL_URL", f"file://{tmp_path}")
    monkeypatch.setenv("MAIL_FROM", SENDER)
    monkeypatch.setenv("PUBLIC_URL", ORIGIN)
    sender = MailSender()
    pause = sender._closed = Pause(tmp_path)
    outgoing_mails.add(
        [NewMail(MailKind.INVITATION, "bob@example.com", timedelta(hours=1))]
    )
    sender.ensure_running()
    sender.notify()
    assert pause.begun.wait(30)
    sender.close()
    assert pause.seen[0] == (PAUSE_SECONDS, 0)
