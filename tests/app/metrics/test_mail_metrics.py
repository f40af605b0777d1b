#!/usr/bin/env python3
"""The metrics of the mail queue: queued, sent, failed, and the oldest."""

from datetime import timedelta

import pytest
from sqlalchemy import text

from tests.app.api.conftest import Build
from tests.app.api.service import Service
from tests.app.metrics.scrape import samples
from tests.clocks import SetClock
from vestibule.db import outgoing_mails
from vestibule.db.engine import database
from vestibule.db.outgoing_mails import NOTHING, NewMail
from vestibule.mail.outbox import MailSender

OLDEST = "vestibule_oldest_queued_mail_seconds"
HOUR = timedelta(hours=1)


@pytest.fixture
def service(
    build: Build, monkeypatch: pytest.MonkeyPatch, set_clock: SetClock
) -> Service:
    """Return a service with mail that sends none by itself."""
    monkeypatch.setattr(MailSender, "ensure_running", lambda self: None)
    return build(
        "session_db_auth",
        MAIL_URL="console:",
        MAIL_FROM="vestibule@example.com",
        PUBLIC_URL="https://auth.example.com",
    )


def queue(number: int, kind: str = "test") -> None:
    """Queue mails."""
    outgoing_mails.add([NewMail(kind, "bob@example.com", HOUR)] * number)


def scraped(service: Service) -> dict[str, float]:
    """Return the number of mails in each state, and the oldest one's age."""
    found = samples(service.client().get("/metrics").text)
    return {
        (labels or (name,))[0]: value
        for (name, labels), value in found.items()
        if name in ("vestibule_mails", OLDEST)
    }


def test_empty_queue_is_zero_and_not_missing(service: Service) -> None:
    """An alert that waits for a value sees one."""
    queue(3, NOTHING)
    assert scraped(service) == {
        "queued": 0,
        "sent": 0,
        "failed": 0,
        OLDEST: 0,
    }


def test_each_state_is_counted_apart(service: Service) -> None:
    """A mail that is tried again later is queued still."""
    queue(7)
    leased = outgoing_mails.lease(7)
    outgoing_mails.mark_sent([mail.id for mail in leased[:3]])
    outgoing_mails.mark_failed(leased[3:5], "550 no such user", True)
    outgoing_mails.mark_failed(leased[5:6], "451 later")
    found = scraped(service)
    assert (found["queued"], found["sent"], found["failed"]) == (2, 3, 2)


def test_oldest_is_the_age_of_the_mail_that_waits_longest(
    service: Service, set_clock: SetClock
) -> None:
    """A retry does not make it younger, and one that ended has no age."""
    queue(1)
    set_clock.advance(30)
    queue(1)
    (first, second) = outgoing_mails.lease(2)
    outgoing_mails.mark_failed([first], "451 later")
    set_clock.advance(60)
    assert scraped(service)[OLDEST] == 90
    outgoing_mails.mark_sent([first.id])
    assert scraped(service)[OLDEST] == 60
    outgoing_mails.drop(second.id)
    assert scraped(service)[OLDEST] == 0


def test_counts_are_those_of_a_week(
    service: Service, set_clock: SetClock
) -> None:
    """Mails that ended are deleted, and one that waits is not."""
    queue(3)
    sent, failed, _ = outgoing_mails.lease(3)
    outgoing_mails.mark_sent([sent.id])
    outgoing_mails.mark_failed([failed], "550 no", True)
    set_clock.advance(timedelta(days=7, seconds=1).total_seconds())
    outgoing_mails.purge()
    assert scraped(service) == {
        "queued": 1,
        "sent": 0,
        "failed": 0,
        OLDEST: timedelta(days=7, seconds=1).total_seconds(),
    }


def test_fault_of_the_database_hides_only_the_mails(service: Service) -> None:
    """The other metrics are needed most then."""
    with database().transaction() as connection:
        connection.execute(text("DROP TABLE outgoing_mails"))
    answer = service.client().get("/metrics")
    assert answer.status_code == 200
    assert "vestibule_workers" in answer.text
    assert scraped(service) == {}


def test_installation_without_mail_has_no_metrics_of_it(build: Build) -> None:
    """Zero would look like a queue that works."""
    assert scraped(build("session_db_auth")) == {}
