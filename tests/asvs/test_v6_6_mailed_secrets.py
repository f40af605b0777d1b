#!/usr/bin/env python3
"""ASVS 6.3.5, 6.3.7, 6.4.1, 6.4.3, 6.5.5 and 6.6: what is sent by mail."""

import base64
import secrets
from datetime import timedelta
from pathlib import Path

import pytest

from tests.app.api.conftest import Build
from tests.app.api.service import NEW, PASSWORD, Service, stored_user
from tests.clocks import SetClock
from tests.mailbox import Mailbox, code_of, token_of
from tests.serving import LOGIN, ME
from vestibule.accounts.mail_flows import send_password_mail
from vestibule.accounts.users import invite
from vestibule.db.models.user import User
from vestibule.mail.outbox import MailSender

FORGOT = "/api/v1/auth_session/forgot"
RESET = "/api/v1/auth_session/reset"


@pytest.fixture
def mailbox(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Mailbox:
    """Send mails to a folder, only when the test says so."""
    monkeypatch.setattr(MailSender, "ensure_running", lambda self: None)
    mails = Mailbox(tmp_path / "mails")
    mails.configure(monkeypatch)
    return mails


@pytest.fixture
def service(build: Build, mailbox: Mailbox) -> Service:
    """Return a service with mail."""
    return build("session_db_auth")


def test_v6_3_5_suspicious_attempts_are_told(
    build: Build, mailbox: Mailbox, set_clock: SetClock
) -> None:
    """Five wrong passwords before the right one are told by mail."""
    service, user = build("session_db_auth", THROTTLE="on"), stored_user()
    for _ in range(5):
        assert service.log_in(user, "wrong")[1].status_code == 401
        set_clock.moment += timedelta(minutes=1)
    assert mailbox.deliver() == []
    assert service.log_in(user)[1].status_code == 200
    (mail,) = mailbox.deliver()
    assert mail["Subject"] == "Failed sign-ins to your Vestibule account"


def test_v6_3_7_changes_of_credentials_are_told(
    service: Service, mailbox: Mailbox
) -> None:
    """The password's to the present address, the email's to the previous."""
    user = stored_user()
    client, _ = service.log_in(user)
    body = {"current_password": PASSWORD, "new_password": NEW}
    assert client.put(f"{ME}/password", json=body).status_code == 200
    (told,) = mailbox.deliver()
    assert told["To"] == user.email
    client.put(f"{ME}/email", json={"email": "new@example.com"})
    (link,) = mailbox.deliver()
    token = {"token": token_of(link)}
    client.post("/api/v1/auth_session/confirm", data=token)
    (told,) = mailbox.deliver()
    assert told["To"] == user.email
    assert "was changed" in told["Subject"]


def test_v6_4_1_mailed_invitations_are_random_and_expire(
    service: Service, mailbox: Mailbox, set_clock: SetClock
) -> None:
    """A token has 256 bits, works once, and for 72 hours."""
    tokens = []
    for late in (False, True):
        user = invite(f"{late}@example.com").user
        assert send_password_mail(user)
        (mail,) = mailbox.deliver()
        tokens.append(token_of(mail))
        assert len(base64.urlsafe_b64decode(tokens[-1] + "=")) == 32
        set_clock.moment += timedelta(hours=72, seconds=0 if late else -1)
        form = {"token": tokens[-1], "new_password": NEW}
        client, expected = service.client(), 400 if late else 200
        assert client.post(RESET, data=form).status_code == expected
        assert client.post(RESET, data=form).status_code == 400
        mailbox.deliver()
    assert len(set(tokens)) == 2


def test_v6_5_5_mailed_codes_live_ten_minutes(
    service: Service, mailbox: Mailbox, set_clock: SetClock
) -> None:
    """A code is refused ten minutes after its mail was sent."""
    for late in (False, True):
        user, client = stored_user(), service.client()
        client.post(FORGOT, data={"email": user.email})
        (mail,) = mailbox.deliver()
        set_clock.moment += timedelta(minutes=10, seconds=0 if late else -1)
        form = {
            "email": user.email,
            "code": code_of(mail),
            "new_password": NEW,
        }
        expected = 400 if late else 200
        assert client.post(RESET, data=form).status_code == expected
        mailbox.deliver()


def test_v6_5_1_mailed_code_works_once(
    service: Service, mailbox: Mailbox
) -> None:
    """The link of the same mail is used up with it."""
    user, client = stored_user(), service.client()
    client.post(FORGOT, data={"email": user.email})
    (mail,) = mailbox.deliver()
    form = {"email": user.email, "code": code_of(mail), "new_password": NEW}
    statuses = [client.post(RESET, data=form).status_code for _ in "12"]
    link = {"token": token_of(mail), "new_password": NEW}
    statuses.append(client.post(RESET, data=link).status_code)
    assert statuses == [200, 400, 400]


def test_v6_5_3_mailed_codes_are_from_the_systems_source(
    service: Service, mailbox: Mailbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each character comes from `secrets`."""
    asked: list[str] = []
    real = secrets.choice

    def counted(characters: str) -> str:
        """Count the characters that are asked for."""
        asked.append(characters)
        return real(characters)

    monkeypatch.setattr(secrets, "choice", counted)
    service.client().post(FORGOT, data={"email": stored_user().email})
    (mail,) = mailbox.deliver()
    assert len(code_of(mail).replace("-", "")) == len(asked)


def test_v6_5_4_mailed_codes_have_40_bits(
    service: Service, mailbox: Mailbox
) -> None:
    """Eight of Crockford's characters, each one of 32; 20 is the limit."""
    found = set()
    for _ in range(20):
        service.client().post(FORGOT, data={"email": stored_user().email})
        (mail,) = mailbox.deliver()
        found.add(code_of(mail))
    assert len(found) == 20
    assert {len(code.replace("-", "")) for code in found} == {8}
    assert len(set("".join(found)) - {"-"}) > 24


def test_v6_6_2_mailed_code_belongs_to_one_request(
    service: Service, mailbox: Mailbox, set_clock: SetClock
) -> None:
    """The code of an earlier request is refused, as in another browser."""
    user, client = stored_user(), service.client()
    codes = []
    for _ in range(2):
        client.post(FORGOT, data={"email": user.email})
        codes += [code_of(mail) for mail in mailbox.deliver()]
        set_clock.moment += timedelta(seconds=61)
    first, second = (
        {"email": user.email, "code": code, "new_password": NEW}
        for code in codes
    )
    assert client.post(RESET, data=first).status_code == 400
    assert service.client().post(RESET, data=second).status_code == 400
    assert client.post(RESET, data=second).status_code == 200


def test_v6_6_3_mailed_code_cannot_be_guessed(
    service: Service, mailbox: Mailbox
) -> None:
    """After five wrong codes the right one is refused."""
    user, client = stored_user(), service.client()
    client.post(FORGOT, data={"email": user.email})
    (mail,) = mailbox.deliver()
    form = {"email": user.email, "code": "0000-0000", "new_password": NEW}
    for _ in range(5):
        assert client.post(RESET, data=form).status_code == 400
    form["code"] = code_of(mail)
    assert client.post(RESET, data=form).status_code == 400
    stored = User.get_committed(user.id)
    assert stored is not None and stored.is_valid_password(PASSWORD)


def test_v6_4_3_reset_by_mail_signs_no_one_in(
    service: Service, mailbox: Mailbox
) -> None:
    """No cookie is set, so a second factor is still asked for."""
    user, client = stored_user(), service.client()
    client.post(FORGOT, data={"email": user.email})
    (mail,) = mailbox.deliver()
    form = {"token": token_of(mail), "new_password": NEW}
    answer = client.post(RESET, data=form)
    assert answer.status_code == 200
    assert "Set-Cookie" not in answer.headers
    assert client.get(ME).status_code == 401
    login = client.post(LOGIN, data={"email": user.email, "password": NEW})
    assert login.status_code == 200
