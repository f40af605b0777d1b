#!/usr/bin/env python3
"""What users do by mail, in process: the mails arrive in a folder."""

from datetime import timedelta
from pathlib import Path

import pytest
from flask.testing import FlaskClient

from tests.app.api.conftest import Build
from tests.app.api.service import NEW, RESET, Service, stored_user
from tests.clocks import SetClock
from tests.mailbox import Mailbox, code_of, link_of, plain, token_of
from tests.serving import ME
from vestibule.accounts.mail_flows import (
    ADDRESS_LIMITS,
    CONFIRM_LIFETIME,
    MAX_PER_NETWORK,
    RESET_LIFETIME,
)
from vestibule.accounts.users import set_role
from vestibule.core import settings
from vestibule.core.crypto import digest_of
from vestibule.db import mail_tokens
from vestibule.db.models.user import User
from vestibule.mail.notices import UNDO_LIFETIME
from vestibule.mail.outbox import CODE_LIFETIME

FORGOT = "/api/v1/auth_session/forgot"
CONFIRM = "/api/v1/auth_session/confirm"
UNDO = "/api/v1/auth_session/undo"
EMAIL = f"{ME}/email"
WRONG_LINK = {"error": "wrong or expired link"}
WRONG_CODE = {"error": "wrong or expired code"}


@pytest.fixture
def service(build: Build, mailbox: Mailbox) -> Service:
    """Return a service with mail."""
    return build("session_db_auth")


def ask(client: FlaskClient, email: str) -> None:
    """Ask for a reset mail."""
    answer = client.post(FORGOT, data={"email": email})
    assert (answer.status_code, answer.get_json()) == (202, {})


def reset_by(client: FlaskClient, token: str, password: str = NEW) -> int:
    """Set a password by a token; return the status."""
    form = {"token": token, "new_password": password}
    return client.post(RESET, data=form).status_code


def test_reset_link_sets_a_password_once(
    service: Service, mailbox: Mailbox
) -> None:
    """All sessions end, none begins, and the address counts as confirmed."""
    user = stored_user()
    signed_in = service.client_for(user)
    mailbox.deliver()
    ask(service.client(), str(user.email))
    (mail,) = mailbox.deliver()
    assert (mail["To"], mail["Auto-Submitted"]) == (
        user.email,
        "auto-generated",
    )
    assert link_of(mail).startswith("https://auth.example.com/reset#")
    token = token_of(mail)
    answer = service.client().post(
        RESET, data={"token": token, "new_password": NEW}
    )
    assert (answer.status_code, answer.get_json()) == (200, {})
    assert "Set-Cookie" not in answer.headers
    assert signed_in.get(ME).status_code == 403
    assert service.log_in(user)[1].status_code == 401
    assert service.log_in(user, NEW)[1].status_code == 200
    stored = User.get(user.id)
    assert stored is not None and stored.email_verified_at is not None
    again = service.client().post(
        RESET, data={"token": token, "new_password": "other kites fly"}
    )
    assert (again.status_code, again.get_json()) == (400, WRONG_LINK)


def test_refused_password_leaves_the_link_valid(
    service: Service, mailbox: Mailbox
) -> None:
    """The field is named, and another password is accepted."""
    user = stored_user()
    ask(service.client(), str(user.email))
    (mail,) = mailbox.deliver()
    form = {"token": token_of(mail), "new_password": "short"}
    answer = service.client().post(RESET, data=form)
    assert answer.status_code == 400 and "new_password" in answer.text
    assert reset_by(service.client(), token_of(mail)) == 200


@pytest.mark.parametrize(
    ("passed", "status"),
    [(RESET_LIFETIME - timedelta(seconds=1), 200), (RESET_LIFETIME, 400)],
)
def test_reset_link_works_for_an_hour(
    service: Service,
    mailbox: Mailbox,
    set_clock: SetClock,
    passed: timedelta,
    status: int,
) -> None:
    """It counts from the request, not from the delivery."""
    user = stored_user()
    ask(service.client(), str(user.email))
    (mail,) = mailbox.deliver()
    set_clock.moment += passed
    assert reset_by(service.client(), token_of(mail)) == status


def test_short_code_needs_the_browser_that_asked(
    service: Service, mailbox: Mailbox
) -> None:
    """Another browser is refused, even with the right code."""
    user = stored_user()
    asking = service.client()
    ask(asking, str(user.email))
    (mail,) = mailbox.deliver()
    form = {
        "email": user.email,
        "code": code_of(mail),
        "new_password": NEW,
    }
    answer = service.client().post(RESET, data=form)
    assert (answer.status_code, answer.get_json()) == (400, WRONG_CODE)
    assert asking.post(RESET, data=form).status_code == 200
    assert asking.post(RESET, data=form).status_code == 400


def test_short_code_expires_before_its_link(
    service: Service, mailbox: Mailbox, set_clock: SetClock
) -> None:
    """Ten minutes after the mail was sent only the link works."""
    user = stored_user()
    asking = service.client()
    ask(asking, str(user.email))
    (mail,) = mailbox.deliver()
    set_clock.moment += CODE_LIFETIME
    form = {"email": user.email, "code": code_of(mail), "new_password": NEW}
    assert asking.post(RESET, data=form).status_code == 400
    assert reset_by(service.client(), token_of(mail)) == 200


def test_five_wrong_codes_use_up_the_code_and_not_the_link(
    service: Service, mailbox: Mailbox
) -> None:
    """The right code comes too late (ASVS 5.0, 6.6.3)."""
    user = stored_user()
    asking = service.client()
    ask(asking, str(user.email))
    (mail,) = mailbox.deliver()
    form = {"email": user.email, "code": "0000-0000", "new_password": NEW}
    for _ in range(mail_tokens.MAX_CODE_TRIES):
        assert asking.post(RESET, data=form).status_code == 400
    form["code"] = code_of(mail)
    assert asking.post(RESET, data=form).status_code == 400
    assert reset_by(service.client(), token_of(mail)) == 200


@pytest.mark.parametrize("kind", ["unknown", "disabled"])
def test_address_without_a_usable_account_gets_the_same_response(
    service: Service, mailbox: Mailbox, kind: str
) -> None:
    """No mail is sent, and a row is queued all the same."""
    user = stored_user()
    user.disabled_at = user.created_at
    user.save()
    email = str(user.email) if kind == "disabled" else "no@example.com"
    ask(service.client(), email)
    assert mailbox.deliver() == []


def test_address_gets_few_mails(
    service: Service, mailbox: Mailbox, set_clock: SetClock
) -> None:
    """One in a minute, five in an hour; the response stays the same."""
    user = stored_user()
    mails = 0
    for _ in range(12):
        ask(service.client(), str(user.email))
        mails += len(mailbox.deliver())
        set_clock.moment += timedelta(seconds=61)
    assert mails == ADDRESS_LIMITS[1][0]
    ask(service.client(), str(user.email))
    ask(service.client(), f" {str(user.email).upper()} ")
    assert mailbox.deliver() == []


def test_network_asks_for_few_mails(
    service: Service, mailbox: Mailbox
) -> None:
    """Whether the addresses have accounts or not."""
    client = service.client()
    for number in range(MAX_PER_NETWORK):
        ask(client, f"{number}@example.com")
    answer = client.post(FORGOT, data={"email": str(stored_user().email)})
    assert answer.status_code == 429
    assert int(answer.headers["Retry-After"]) > 0


@pytest.mark.parametrize(
    "email", ["", "bob", "a@b.com\nBcc: c@d.com", "x" * 250 + "@b.com"]
)
def test_invalid_address_is_refused(service: Service, email: str) -> None:
    """A line break in it reaches no mail."""
    answer = service.client().post(FORGOT, data={"email": email})
    assert answer.status_code == 400 and "email" in answer.text


def test_without_mail_its_routes_do_not_exist(build: Build) -> None:
    """They are 404, and the reset codes of admins stay."""
    service = build("session_db_auth")
    client = service.client_for(stored_user())
    for path in (FORGOT, CONFIRM, UNDO, f"{EMAIL}/confirmation"):
        data = {"email": "a@b.com", "token": "x"}
        assert client.post(path, data=data).status_code == 404


def test_changed_email_needs_its_link(
    service: Service, mailbox: Mailbox
) -> None:
    """The old address stays until then, is told, and can take it back."""
    user = stored_user()
    client = service.client_for(user)
    mailbox.deliver()
    answer = client.put(EMAIL, json={"email": "new@example.com"})
    assert (answer.status_code, answer.get_json()) == (202, {})
    assert client.get(ME).get_json()["email"] == user.email
    (mail,) = mailbox.deliver()
    assert mail["To"] == "new@example.com"
    confirmed = service.client().post(CONFIRM, data={"token": token_of(mail)})
    assert (confirmed.status_code, confirmed.get_json()) == (200, {})
    assert client.get(ME).get_json()["email"] == "new@example.com"
    (notice,) = mailbox.deliver()
    assert notice["To"] == user.email
    assert link_of(notice).startswith("https://auth.example.com/undo#")
    undone = service.client().post(UNDO, data={"token": token_of(notice)})
    assert undone.status_code == 200
    assert client.get(ME).status_code == 403
    stored = User.get(user.id)
    assert stored is not None and stored.email == user.email


def test_undo_works_for_seven_days_whatever_else_changes(
    service: Service, mailbox: Mailbox, set_clock: SetClock
) -> None:
    """A thief's new password does not make the link invalid."""
    user = stored_user()
    client = service.client_for(user)
    mailbox.deliver()
    client.put(EMAIL, json={"email": "new@example.com"})
    (mail,) = mailbox.deliver()
    service.client().post(CONFIRM, data={"token": token_of(mail)})
    notice = mailbox.deliver()[0]
    set_clock.moment += UNDO_LIFETIME - timedelta(seconds=1)
    ask(service.client(), "new@example.com")
    reset = mailbox.deliver()[-1]
    assert reset_by(service.client(), token_of(reset)) == 200
    undone = service.client().post(UNDO, data={"token": token_of(notice)})
    assert undone.status_code == 200


def test_email_of_another_user_is_not_revealed(
    service: Service, mailbox: Mailbox
) -> None:
    """The response is the same; the link is refused."""
    user, other = stored_user(), stored_user()
    client = service.client_for(user)
    mailbox.deliver()
    answer = client.put(EMAIL, json={"email": other.email})
    assert (answer.status_code, answer.get_json()) == (202, {})
    (mail,) = mailbox.deliver()
    taken = service.client().post(CONFIRM, data={"token": token_of(mail)})
    assert taken.status_code == 409
    stored = User.get(user.id)
    assert stored is not None and stored.email == user.email


def test_confirmation_is_sent_again_and_once_used_no_more(
    service: Service, mailbox: Mailbox
) -> None:
    """The admin API and verify show that the address is confirmed."""
    user, admin = stored_user(), stored_user("admin")
    client = service.client_for(user)
    mailbox.deliver()
    verify = "/api/v1/auth_session/verify"
    assert client.get(verify).headers["Remote-Email-Verified"] == "false"
    assert client.post(f"{EMAIL}/confirmation").status_code == 202
    (mail,) = mailbox.deliver()
    token = {"token": token_of(mail)}
    assert service.client().get(CONFIRM).status_code == 405
    assert service.client().post(CONFIRM, data=token).status_code == 200
    assert client.get(verify).headers["Remote-Email-Verified"] == "true"
    shown = service.client_for(admin).get(f"/api/v1/admin/users/{user.id}")
    assert shown.get_json()["email_verified"] is True
    assert service.client().post(CONFIRM, data=token).status_code == 400
    mailbox.deliver()
    assert client.post(f"{EMAIL}/confirmation").status_code == 202
    assert mailbox.deliver() == []


def test_confirmation_of_a_previous_email_is_refused(
    service: Service, mailbox: Mailbox, set_clock: SetClock
) -> None:
    """An expired link is refused too."""
    user = stored_user()
    client = service.client_for(user)
    mailbox.deliver()
    client.post(f"{EMAIL}/confirmation")
    (mail,) = mailbox.deliver()
    user.email = "other@example.com"
    user.save()
    data = {"token": token_of(mail)}
    assert service.client().post(CONFIRM, data=data).status_code == 400
    set_clock.moment += timedelta(minutes=2)
    client.post(f"{EMAIL}/confirmation")
    (mail,) = mailbox.deliver()
    set_clock.moment += CONFIRM_LIFETIME
    data = {"token": token_of(mail)}
    assert service.client().post(CONFIRM, data=data).status_code == 400


def test_mail_is_in_the_language_of_the_user(
    service: Service, mailbox: Mailbox
) -> None:
    """The last sign-in decides, or the browser that asks."""
    user = stored_user()
    headers = {"Accept-Language": "fr-CH, en;q=0.5"}
    service.log_in(user, headers=headers)
    set_role(user, "admin")
    stored = User.get(user.id)
    assert stored is not None and stored.language == "fr"
    mailbox.deliver()
    ask(service.client(), str(user.email))
    (mail,) = mailbox.deliver()
    assert mail["Content-Language"] == "fr"
    assert "mot de passe" in plain(mail)


def test_stored_and_logged_values_open_nothing(
    service: Service, mailbox: Mailbox, caplog: pytest.LogCaptureFixture
) -> None:
    """No token or code of a mail is in the database or in the log."""
    user = stored_user()
    with caplog.at_level("DEBUG"):
        ask(service.client(), str(user.email))
        (mail,) = mailbox.deliver()
    file = settings.DATABASE_URL.read().removeprefix("sqlite:///")
    stored = b"".join(
        path.read_bytes() for path in Path(file).parent.glob("*.db*")
    )
    for secret in (token_of(mail), code_of(mail)):
        assert secret.encode() not in stored
        assert secret not in caplog.text
        answer = service.client().post(
            RESET,
            data={"token": digest_of(secret), "new_password": NEW},
        )
        assert answer.status_code == 400
