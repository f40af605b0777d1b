#!/usr/bin/env python3
"""Two senders that are killed again and again lose no mail of the queue."""

import random
import subprocess
import sys
import time
from collections import Counter
from datetime import UTC, datetime, timedelta
from email.message import EmailMessage
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.server.waiting import wait_until
from tests.e2e.torture.seed import random_seed
from tests.mail_server import Inbox, running
from tests.mailbox import ORIGIN, SENDER
from tests.serving import environment
from vestibule.db import mail_search, outgoing_mails
from vestibule.db.outgoing_mails import (
    FAILED,
    QUEUED,
    SENT,
    NewMail,
    OutgoingMail,
)
from vestibule.mail.notices import MailKind

SENDERS = 2
#: Seconds from the first mail after a kill to the next kill; on a busy
#: machine as many as the start of a sender took, or most of the time of the
#: test would be spent on starts.
KILL_EVERY_SECONDS = 1.0
#: Mails that another process had leased before it was killed. They expire
#: before their lease ends.
HELD = 10
SHORT_LIFETIME = timedelta(seconds=15)
#: Mails that are queued by one transaction.
MAILS_AT_ONCE = 1000
#: How late a mail may arrive that was handed over in time. A sender that
#: does not look at the expiry would send those above 45 seconds late.
MAX_TRANSIT = timedelta(seconds=10)
#: Seconds in which a sender that runs has sent another mail.
MAX_WAIT_SECONDS = 60
#: Seconds for all mails, and for the leases of the processes killed last.
MAX_SECONDS = 3600


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

    def kill_until_empty(self, chance: random.Random) -> int:
        """Kill one by SIGKILL after each second; return how many were killed.

        It ends when nothing is queued.
        """
        kills, give_up = 0, time.monotonic() + MAX_SECONDS
        while outgoing_mails.queue_state().queued:
            assert time.monotonic() < give_up, mail_search.newest(3, QUEUED)
            before, begun = len(self._inbox.arrivals), time.monotonic()
            if not wait_until(
                MAX_WAIT_SECONDS, partial(self._has_sent, before)
            ):
                # Those that were killed hold what is left, for a minute.
                continue
            time.sleep(max(KILL_EVERY_SECONDS, time.monotonic() - begun))
            number = chance.randrange(SENDERS)
            self._end(self._running[number])
            self._running[number] = self._start()
            kills += 1
        return kills

    def _has_sent(self, before: int) -> bool:
        """Return True if a mail arrived; start senders that have ended."""
        for number, one in enumerate(self._running):
            if one.poll() is not None:
                self._running[number] = self._start()
        return len(self._inbox.arrivals) > before

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
    for first in range(0, number, MAILS_AT_ONCE):
        outgoing_mails.add(
            [
                NewMail(
                    MailKind.RESET,
                    f"{index}-{lifetime.seconds}@example.com",
                    lifetime,
                    user_id="1",
                )
                for index in range(first, min(number, first + MAILS_AT_ONCE))
            ]
        )


def check(inbox: DatedInbox, held: set[str]) -> str:
    """Compare what arrived with the queue; return the numbers."""
    rows: dict[str, OutgoingMail] = {
        f"<{one.id}@auth.example.com>": one
        for one in mail_search.newest(1_000_000)
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
    return f"{len(arrived)} mails, {arrived.total()} deliveries"


@pytest.mark.torture
@pytest.mark.parametrize("mails", [1_000, 10_000])
@pytest.mark.timeout(MAX_SECONDS + 300)
def test_killed_senders_deliver_each_mail_and_none_after_its_expiry(
    tmp_path: Path, any_database: str, mails: int
) -> None:
    """Duplicates share the Message-ID, so a mail server can drop them."""
    chance = random.Random(random_seed())
    queue(HELD, SHORT_LIFETIME)
    held = {one.id for one in outgoing_mails.lease(HELD)}
    assert len(held) == HELD
    queue(mails, timedelta(hours=2))
    begun = time.monotonic()
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
            kills = senders.kill_until_empty(chance)
        finally:
            senders.close()
    numbers = check(inbox, held)
    assert kills
    print(f"{numbers}, {kills} kills, {time.monotonic() - begun:.0f} s")
