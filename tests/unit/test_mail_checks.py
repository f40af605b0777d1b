#!/usr/bin/env python3
"""What is said of mail at the start, by `doctor` and in the metrics."""

from datetime import timedelta

import pytest

from tests.clocks import SetClock
from tests.mail_server import PASSWORD, USER, Inbox, running
from tests.mailbox import ORIGIN, SENDER
from vestibule.checks.doctor import run_checks
from vestibule.checks.mail import check_mail_settings
from vestibule.checks.settings import CheckResult, Level
from vestibule.core.errors import ConfigurationError
from vestibule.db import outgoing_mails
from vestibule.db.outgoing_mails import NewMail
from vestibule.mail.notices import MailKind

pytestmark = pytest.mark.usefixtures("on_sqlite")


@pytest.fixture(autouse=True)
def sender(monkeypatch: pytest.MonkeyPatch) -> None:
    """Set what each mail needs."""
    monkeypatch.setenv("MAIL_FROM", SENDER)
    monkeypatch.setenv("PUBLIC_URL", ORIGIN)


def found(id: str) -> list[CheckResult]:
    """Return what the checks say with this id."""
    return [one for one in run_checks() if one.id == id]


def test_check_asks_the_server_and_sends_nothing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """It logs in; the password is in no message."""
    secret = PASSWORD.replace(" ", "%20")
    inbox = Inbox()
    with running(inbox, needs_login=True) as port:
        at = f"127.0.0.1:{port}"
        monkeypatch.setenv("MAIL_URL", f"smtp://{USER}:{secret}@{at}")
        (good,) = found("mail.server")
        monkeypatch.setenv("MAIL_URL", f"smtp://{USER}:wrongpw@{at}")
        (wrong,) = found("mail.server")
    monkeypatch.setenv("MAIL_URL", f"smtp://{USER}:wrongpw@{at}")
    (absent,) = found("mail.server")
    assert good.level is Level.GOOD
    assert wrong.level is absent.level is Level.WRONG
    assert "535" in wrong.message and "refused" in absent.message
    for one in (good, wrong, absent):
        assert "wrongpw" not in str(one) and secret not in str(one)
    assert inbox.received == []


def test_check_reports_mails_that_wait_for_long(
    monkeypatch: pytest.MonkeyPatch, set_clock: SetClock
) -> None:
    """Fifteen minutes are not long; the hint is the command."""
    monkeypatch.setenv("MAIL_URL", "console:")
    lifetime = timedelta(hours=1)
    outgoing_mails.add([NewMail(MailKind.TEST, "a@example.com", lifetime)])
    set_clock.advance(15 * 60)
    assert found("mail.queue") == []
    set_clock.advance(1)
    (late,) = found("mail.queue")
    assert late.level is Level.WRONG and "1 mails are queued" in late.message
    assert "mail list" in late.hint


def test_demand_of_confirmed_emails_needs_mail(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Without it no user could sign in, so the start refuses it."""
    monkeypatch.setenv("REQUIRE_CONFIRMED_EMAIL", "on")
    with pytest.raises(ConfigurationError, match="REQUIRE_CONFIRMED_EMAIL"):
        check_mail_settings()
    monkeypatch.setenv("MAIL_URL", "console:")
    check_mail_settings()


@pytest.mark.parametrize(
    "value",
    ["Example", "a b@example.com", "a@example.com\nBcc: b@example.com", "@"],
)
def test_invalid_sender_refuses_the_start(
    monkeypatch: pytest.MonkeyPatch, value: str
) -> None:
    """A line break in it reaches no mail."""
    monkeypatch.setenv("MAIL_URL", "console:")
    monkeypatch.setenv("MAIL_FROM", value)
    with pytest.raises(ConfigurationError, match="MAIL_FROM"):
        check_mail_settings()
