#!/usr/bin/env python3
"""Two senders that are killed again and again lose no mail of the queue."""

import random
import subprocess
import sys
from collections import Counter
from datetime import UTC, datetime, timedelta
from email.message import EmailMessage
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.server.waiting import wait_until
from tests.e2e.torture.seed import random_seed
from tests.mail_server import Inbox, running
from tests.mailbox import ORIGIN, SENDER
from tests.serving import environment
from vestibule.db import outgoing_mails
from vestibule.db.outgoing_mails import (
    FAILED,
    QUEUED,
    SENT,
    NewMail,
    OutgoingMail,
)
from vestibule.mail.notices import MailKind

MAILS, KILLS, SENDERS = 400, 12, 2
#: Mails that another process had leased before it was killed. They expire
#: before their lease ends.
HELD = 10
SHORT_LIFETIME = timedelta(seconds=15)
#: How late a mail may arrive that was handed over in time. A sender that
#: does not look at the expiry would send those above 45 seconds late.
MAX_TRANSIT = timedelta(seconds=10)
#: Mails that arrive before a sender is killed, at most.
MAX_BEFORE_KILL = 30
#: Seconds in which a sender that runs has sent another mail.
MAX_WAIT_SECONDS = 60
#: Seconds for the rest, after the leases of those killed have ended.
MAX_END_SECONDS = 300


class DatedInbox(Inbox):
    """A mail server that remembers when each mail arrived."""

    def __init__(self) -> None:
        """Begin empty."""
        super().__init__()
        self.arrivals: list[tuple[EmailMessage, datetime]] = []

    async def handle_DATA(
        self, server: Any, session: Any, envelope: Any
    ) -> str:
        """Take a mail, and the time."""
        reply = await super().handle_DATA(server, session, envelope)
        self.arrivals.append((self.received[-1], datetime.now(UTC)))
        return reply


class Senders:
    """Processes of `mail send`, which are killed and started again."""

    def __init__(self, env: dict[str, str], inbox: DatedInbox) -> None:
        """Start two of them."""
        self._env, self._inbox = env, inbox
        self._running = [self._start() for _ in range(SENDERS)]

    def kill_one(self, chance: random.Random) -> None:
        """Kill one by SIGKILL when some more mails have arrived."""
        target = len(self._inbox.arrivals) + chance.randint(1, MAX_BEFORE_KILL)
        wait_until(
            MAX_WAIT_SECONDS,
            lambda: (
                len(self._inbox.arrivals) >= target
                or all(one.poll() is not None for one in self._running)
            ),
        )
        number = chance.randrange(SENDERS)
        self._end(self._running[number])
        self._running[number] = self._start()

    def finish(self) -> bool:
        """Send until nothing is queued; return True if that was reached."""

        def is_done() -> bool:
            """Start those again that ended; return True at the end."""
            for number, one in enumerate(self._running):
                if one.poll() is not None:
                    self._running[number] = self._start()
            return outgoing_mails.queue_state().queued == 0

        return wait_until(MAX_END_SECONDS, is_done)

    def close(self) -> None:
        """End what still runs."""
        for one in self._running:
            self._end(one)

    def _start(self) -> subprocess.Popen[bytes]:
        """Start a sender, which ends when nothing is due."""
        return subprocess.Popen(
            [sys.executable, "-m", "vestibule", "mail", "send"],
            env=self._env,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )

    @staticmethod
    def _end(one: subprocess.Popen[bytes]) -> None:
        """Kill a process, and wait for its end."""
        one.kill()
        one.wait(30)


def queue(number: int, lifetime: timedelta) -> None:
    """Queue mails with links, each to an address of its own."""
    outgoing_mails.add(
        [
            NewMail(
                MailKind.RESET,
                f"{index}-{lifetime.seconds}@example.com",
                lifetime,
                user_id="1",
            )
            for index in range(number)
        ]
    )


def check(inbox: DatedInbox, held: set[str]) -> None:
    """Compare what arrived with the queue."""
    rows: dict[str, OutgoingMail] = {
        f"<{one.id}@auth.example.com>": one
        for one in outgoing_mails.listed(10 * MAILS)
    }
    arrived = Counter(mail["Message-ID"] for mail, _ in inbox.arrivals)
    assert arrived.keys() <= rows.keys()
    for key, row in rows.items():
        is_short = row.expires_at - row.created_at == SHORT_LIFETIME
        assert row.state == SENT or (is_short and row.state == FAILED), row
        assert row.state != SENT or arrived[key], row
        assert row.id not in held or (row.error, arrived[key]) == (
            "expired",
            0,
        )
    texts: dict[str, str] = {}
    for mail, at in inbox.arrivals:
        key = mail["Message-ID"]
        assert at <= rows[key].expires_at + MAX_TRANSIT
        # A duplicate is the same mail to the same address.
        assert texts.setdefault(key, mail["To"]) == mail["To"]
        assert mail["To"] == rows[key].address
    print(f"{len(arrived)} mails, {arrived.total()} deliveries")


@pytest.mark.torture
@pytest.mark.timeout(900)
def test_killed_senders_deliver_each_mail_and_none_after_its_expiry(
    tmp_path: Path, any_database: str
) -> None:
    """Duplicates share the Message-ID, so a mail server can drop them."""
    chance = random.Random(random_seed())
    queue(HELD, SHORT_LIFETIME)
    held = {one.id for one in outgoing_mails.lease(HELD)}
    assert len(held) == HELD
    queue(MAILS, timedelta(hours=1))
    queue(HELD, SHORT_LIFETIME)
    inbox = DatedInbox()
    with running(inbox) as port:
        senders = Senders(
            environment(
                tmp_path,
                DATABASE_URL=any_database,
                MAIL_URL=f"smtp://127.0.0.1:{port}",
                MAIL_FROM=SENDER,
                PUBLIC_URL=ORIGIN,
                MAIL_PER_HOUR="100000",
            ),
            inbox,
        )
        try:
            for _ in range(KILLS):
                senders.kill_one(chance)
            assert senders.finish(), outgoing_mails.listed(3, QUEUED)
        finally:
            senders.close()
    check(inbox, held)
