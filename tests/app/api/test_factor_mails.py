#!/usr/bin/env python3
"""Users are told by mail of changes of their second factors (ASVS 6.3.7)."""

import base64
from email.message import EmailMessage
from pathlib import Path

import pytest

from tests.app.api.conftest import Build
from tests.app.api.factor_owner import (
    CONTINUE,
    FACTORS,
    Owner,
    signed_in,
    waiting,
)
from tests.app.api.service import PASSWORD, Service
from tests.clocks import SetClock
from tests.mailbox import ORIGIN, Mailbox, link_of, plain
from tests.threads import at_once
from vestibule.accounts.permissions import LOCAL
from vestibule.accounts.recovery import issue_factor_reset
from vestibule.accounts.second_factors import (
    begin_app,
    check_second_factor,
    confirm_app,
)
from vestibule.core.crypto import new_key
from vestibule.core.errors import RecordGone, VestibuleError
from vestibule.db.login_failures import MAX_FAILURES_IN_A_ROW
from vestibule.db.models.user import User
from vestibule.mail import messages
from vestibule.mail.notices import LANGUAGES, MailKind
from vestibule.mail.outbox import MailSender

ADDED = "A second factor was added"
REMOVED = "was removed"
SWITCHED_OFF = "was switched off"
CODE_USED = "A recovery code"
WRONG = "000000"
KINDS = (
    MailKind.FACTOR_ADDED,
    MailKind.FACTOR_REMOVED,
    MailKind.FACTOR_SWITCHED_OFF,
    MailKind.PASSKEY_REFUSED,
    MailKind.RECOVERY_CODE_USED,
    MailKind.FACTORS_RESET,
)


@pytest.fixture
def mailbox(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, set_clock: SetClock
) -> Mailbox:
    """Send mails to a folder, only when the test says so."""
    monkeypatch.setattr(MailSender, "ensure_running", lambda self: None)
    monkeypatch.setenv("SECRETS_KEY", new_key())
    mails = Mailbox(tmp_path / "mails")
    mails.configure(monkeypatch)
    return mails


@pytest.fixture
def service(build: Build, mailbox: Mailbox) -> Service:
    """Return a service with mail."""
    return build("session_db_auth")


@pytest.fixture
def owner(mailbox: Mailbox, set_clock: SetClock) -> Owner:
    """Return a user with an app, whose next code is not used yet."""
    made = Owner()
    set_clock.advance(30)
    return made


def test_added_factor_is_told_once(owner: Owner, mailbox: Mailbox) -> None:
    """The mail has no secret, and leads to a new password."""
    (mail,) = mailbox.deliver()
    assert mail["To"] == owner.user.email
    assert ADDED in mail["Subject"]
    assert link_of(mail) == f"{ORIGIN}/forgot"
    for secret in (owner.seed.hex(), *owner.recovery):
        assert secret not in plain(mail)


def test_app_that_is_not_confirmed_is_not_told(mailbox: Mailbox) -> None:
    """A pending app protects nothing yet, and a wrong code adds nothing."""
    user = User(email="ada@example.com")
    user.save()
    app = begin_app(user, "phone")
    with pytest.raises(VestibuleError):
        confirm_app(user, app.factor.id, WRONG)
    assert mailbox.deliver() == []


def test_app_that_is_confirmed_twice_at_once_is_told_once(
    owner: Owner, mailbox: Mailbox
) -> None:
    """The mail is stored with the change, or not at all."""
    mailbox.deliver()
    app = begin_app(owner.user, "tablet")
    owner.seed = _seed_of(app.key)
    code = owner.code()

    def confirm(_: int) -> bool:
        """Confirm the app; return True if it was this request."""
        try:
            confirm_app(owner.user, app.factor.id, code)
        except RecordGone:
            return False
        return True

    assert sum(at_once(4, confirm)) == 1
    (mail,) = mailbox.deliver()
    assert ADDED in mail["Subject"]


def test_removed_factor_is_told_with_the_device(
    service: Service, owner: Owner, mailbox: Mailbox
) -> None:
    """A factor that does not exist is no change."""
    client = signed_in(service, owner)
    mailbox.deliver()
    assert client.delete(f"{FACTORS}/unknown").status_code == 404
    assert mailbox.deliver() == []
    answer = client.delete(f"{FACTORS}/{owner.app_id}")
    assert answer.status_code == 200, answer.text
    (mail,) = mailbox.deliver()
    assert REMOVED in mail["Subject"]
    assert "from 127.0.0.1" in plain(mail)
    assert client.delete(f"{FACTORS}/{owner.app_id}").status_code == 404
    assert mailbox.deliver() == []


def test_reset_of_factors_is_told_when_issued_and_when_used(
    service: Service, owner: Owner, mailbox: Mailbox
) -> None:
    """Neither mail has the code; the first not where the admin is."""
    mailbox.deliver()
    code = issue_factor_reset(owner.user, actor=LOCAL).code
    (issued,) = mailbox.deliver()
    assert "A link to remove the second factors" in issued["Subject"]
    assert "127.0.0.1" not in plain(issued)
    body = {"email": owner.user.email, "password": PASSWORD, "code": code}
    path = "/api/v1/auth_session/factor-reset"
    wrong = service.client().post(path, json=body | {"code": "WRONG"})
    assert wrong.status_code == 400
    assert mailbox.deliver() == []
    assert service.client().post(path, json=body).status_code == 200
    (used,) = _told(mailbox, "All second factors")
    assert "from 127.0.0.1" in plain(used)
    for mail in (issued, used):
        assert mail["To"] == owner.user.email
        assert code not in mail.as_string()
        assert link_of(mail) == f"{ORIGIN}/forgot"


def test_used_recovery_code_is_told(
    service: Service, owner: Owner, mailbox: Mailbox
) -> None:
    """A wrong one is not, and the code is not in the mail."""
    client = waiting(service, owner)
    mailbox.deliver()
    wrong = client.post(CONTINUE, json={"recovery_code": "wrong"})
    assert wrong.status_code == 401
    assert not _told(mailbox, CODE_USED)
    code = owner.recovery[0]
    answer = client.post(CONTINUE, json={"recovery_code": code})
    assert answer.status_code == 200, answer.text
    (mail,) = _told(mailbox, CODE_USED)
    assert code not in plain(mail)
    again = waiting(service, owner)
    assert (
        again.post(CONTINUE, json={"recovery_code": code}).status_code == 401
    )
    assert not _told(mailbox, CODE_USED)


def test_switched_off_factor_is_told_once(
    owner: Owner, mailbox: Mailbox, set_clock: SetClock
) -> None:
    """No number of further wrong codes sends another mail."""
    mailbox.deliver()
    for number in range(1, MAX_FAILURES_IN_A_ROW + 3):
        set_clock.advance(3600)
        with pytest.raises(VestibuleError):
            check_second_factor(owner.user, WRONG)
        told = len(mailbox.deliver())
        assert told == (number == MAX_FAILURES_IN_A_ROW), number
    assert SWITCHED_OFF in mailbox.all()[-1]["Subject"]


def test_user_without_email_is_not_told(mailbox: Mailbox) -> None:
    """The change is made all the same."""
    owner = Owner.__new__(Owner)
    owner.user = User(first_name="Ada")
    owner.user.save()
    app = begin_app(owner.user, "phone")
    owner.seed = _seed_of(app.key)
    assert confirm_app(owner.user, app.factor.id, owner.code())
    assert mailbox.deliver() == []


@pytest.mark.parametrize("kind", KINDS)
def test_notice_of_factors_has_its_own_text_in_each_language(
    mailbox: Mailbox, kind: MailKind
) -> None:
    """None is the text of another language or kind."""
    texts = {
        messages.render(each, language, messages.EXAMPLES).plain
        for each in KINDS
        for language in LANGUAGES
    }
    assert len(texts) == len(KINDS) * len(LANGUAGES)
    for language in LANGUAGES:
        text = messages.render(kind, language, messages.EXAMPLES)
        assert "192.0.2.1" in text.plain and "Firefox" in text.plain
        bare = {**messages.EXAMPLES, "ip": None, "device": None}
        assert "None" not in messages.render(kind, language, bare).plain


def _told(mailbox: Mailbox, subject: str) -> list[EmailMessage]:
    """Return the new mails whose subject has this text."""
    return [
        mail for mail in mailbox.deliver() if subject in str(mail["Subject"])
    ]


def _seed_of(key: str) -> bytes:
    """Return the seed of a key that people type."""
    return base64.b32decode(key.replace(" ", ""))
