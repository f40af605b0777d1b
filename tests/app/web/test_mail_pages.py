#!/usr/bin/env python3
"""The pages of mails: forgotten passwords, confirmed and changed emails."""

import re
from pathlib import Path

import pytest

from tests.app.api.conftest import Build
from tests.app.api.service import NEW, PASSWORD, Service, stored_user
from tests.app.web.browser import Browser, Page
from tests.mailbox import Mailbox, code_of, link_of
from tests.serving import LOGIN
from vestibule.db.models.user import User
from vestibule.mail.outbox import MailSender

UNSAFE_HEADERS = {"Host": "evil.example", "X-Forwarded-Host": "evil.example"}


@pytest.fixture
def mailbox(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Mailbox:
    """Send mails to a folder, only when the test says so."""
    monkeypatch.setattr(MailSender, "ensure_running", lambda self: None)
    mails = Mailbox(tmp_path / "mails")
    mails.configure(monkeypatch)
    return mails


@pytest.fixture
def service(build: Build, mailbox: Mailbox) -> Service:
    """Return a service with pages, mail and open registration."""
    stored_user("admin", "admin@example.com")
    return build(
        "session_db_auth",
        WEB_PAGES="on",
        REGISTRATION="open",
        AUTHZ_POLICY="self",
    )


def stored(user: User) -> User:
    """Return the user as the database has it."""
    found = User.get_committed(user.id)
    assert found is not None
    return found


def signed_in(service: Service, user: User) -> Browser:
    """Return a browser in which the user has signed in."""
    browser = Browser(service)
    form = {"email": user.email, "password": PASSWORD}
    assert browser.post("/sign-in", form).status_code == 303
    return browser


def test_forgotten_password_is_reset_by_the_code_of_the_mail(
    service: Service, mailbox: Mailbox
) -> None:
    """The sign-in page leads there, and each page to the next."""
    user, browser = stored_user(), Browser(service)
    assert "/forgot" in browser.get("/sign-in").text
    page = browser.follow(browser.post("/forgot", {"email": user.email}))
    assert "an email is on its way" in page.text
    (mail,) = mailbox.deliver()
    form = {
        "email": user.email,
        "code": code_of(mail),
        "new_password": NEW,
    }
    assert browser.post("/reset", form).headers["Location"] == "/sign-in"
    assert stored(user).is_valid_password(NEW)
    assert browser.get("/account").status_code == 303


def test_pasted_link_resets_the_password_without_script(
    service: Service, mailbox: Mailbox
) -> None:
    """It needs no email beside it, and works once."""
    user, browser = stored_user(), Browser(service)
    browser.post("/forgot", {"email": user.email})
    (mail,) = mailbox.deliver()
    form = {"code": f" {link_of(mail)}\n", "new_password": NEW}
    other = Browser(service)
    short = other.post("/reset", form | {"new_password": "short"})
    assert short.status_code == 400
    assert other.post("/reset", form).status_code == 303
    assert stored(user).is_valid_password(NEW)
    assert other.post("/reset", form).status_code == 400


@pytest.mark.parametrize("email", ["no@example.com", None])
def test_unknown_and_disabled_users_see_the_same_page(
    service: Service, mailbox: Mailbox, email: str | None
) -> None:
    """No mail is sent, and the responses differ in nothing."""
    user, disabled = stored_user(), stored_user()
    disabled.disabled_at = disabled.created_at
    disabled.save()
    browsers = Browser(service), Browser(service)
    shown = [
        browser.post("/forgot", {"email": address})
        for browser, address in zip(
            browsers, (user.email, email or disabled.email), strict=True
        )
    ]
    names = [[name for name, _ in one.headers] for one in shown]
    assert (shown[0].text, names[0]) == (shown[1].text, names[1])
    assert [mail["To"] for mail in mailbox.deliver()] == [user.email]


def test_forgot_page_without_mail_leads_to_the_code_page(
    build: Build,
) -> None:
    """The pages of links do not exist, and the sign-in page is as before."""
    stored_user()
    browser = Browser(build("session_db_auth", WEB_PAGES="on"))
    assert browser.get("/forgot").headers["Location"] == "/reset"
    assert browser.post("/forgot").headers["Location"] == "/reset"
    for path in ("/confirm", "/undo"):
        assert browser.get(path).status_code == 404
        assert browser.post(path, {"token": "x"}).status_code == 404
    assert "/forgot" not in browser.get("/sign-in").text


def test_opening_a_link_changes_nothing(
    service: Service, mailbox: Mailbox
) -> None:
    """Programs that follow links send GET and HEAD, also with the token."""
    browser = Browser(service)
    browser.post("/register", {"email": "ada@example.com", "password": NEW})
    mail = mailbox.deliver()[-1]
    token = link_of(mail).partition("#")[2]
    for _ in range(2):
        for path in ("/confirm", f"/confirm?{token}", "/undo", "/reset"):
            assert browser.get(path).status_code == 200
            assert browser.client.head(path).status_code == 200
    (user,) = User.search({"email": "ada@example.com"})
    assert user.email_verified_at is None
    form = {"token": link_of(mail)}
    assert Browser(service).post("/confirm", form).status_code == 303
    assert stored(user).email_verified_at is not None
    again = Browser(service).post("/confirm", form)
    assert again.status_code == 400 and "already used" in again.text


def test_links_name_the_public_address_only(
    service: Service, mailbox: Mailbox
) -> None:
    """A forged Host reaches no mail."""
    user = stored_user()
    client = service.client()
    client.post(
        "/api/v1/auth_session/forgot",
        data={"email": user.email},
        headers=UNSAFE_HEADERS,
    )
    for mail in mailbox.deliver():
        assert b"evil.example" not in mail.as_bytes()
        assert link_of(mail).startswith("https://auth.example.com/reset#")


def test_link_from_another_site_is_refused(
    service: Service, mailbox: Mailbox
) -> None:
    """A form of another site cannot use a link up."""
    browser = Browser(service)
    browser.post("/register", {"email": "ada@example.com", "password": NEW})
    mail = mailbox.deliver()[-1]
    refused = Browser(service).post(
        "/confirm",
        {"token": link_of(mail)},
        headers={"Sec-Fetch-Site": "cross-site"},
    )
    assert refused.status_code == 403
    (user,) = User.search({"email": "ada@example.com"})
    assert user.email_verified_at is None


def test_account_page_shows_and_sends_the_confirmation(
    service: Service, mailbox: Mailbox
) -> None:
    """The mail is sent again on request; then the email is confirmed."""
    user = stored_user()
    browser = signed_in(service, user)
    mailbox.deliver()
    assert "not confirmed yet" in browser.get("/account").text
    page = browser.follow(browser.post("/account/confirmation"))
    assert "is on its way" in page.text
    (mail,) = mailbox.deliver()
    done = browser.post("/confirm", {"token": link_of(mail)})
    assert "Your email is confirmed." in browser.follow(done).text
    assert "This email is confirmed." in browser.get("/account").text


def test_email_is_changed_by_a_link_and_taken_back_by_another(
    service: Service, mailbox: Mailbox
) -> None:
    """The account page says so; all sessions end with the undo."""
    user = stored_user()
    browser = signed_in(service, user)
    mailbox.deliver()
    form = {"email": "new@example.com", "password": PASSWORD}
    page = browser.follow(browser.post("/account/email", form))
    assert "keeps the current one" in page.text
    assert stored(user).email == user.email
    (mail,) = mailbox.deliver()
    assert (
        browser.post("/confirm", {"token": link_of(mail)}).status_code == 303
    )
    assert stored(user).email == "new@example.com"
    (notice,) = mailbox.deliver()
    assert notice["To"] == user.email
    undone = Browser(service).post("/undo", {"token": link_of(notice)})
    assert undone.headers["Location"] == "/sign-in"
    assert stored(user).email == user.email
    assert browser.get("/account").status_code == 303


def test_user_chooses_notices_of_new_browsers(
    service: Service, mailbox: Mailbox
) -> None:
    """An absent box switches them off, and the page shows the choice."""
    user = stored_user()
    browser = signed_in(service, user)
    assert (
        "checked" in Page(browser.get("/account")).fields()["device_notices"]
    )
    browser.follow(browser.post("/account/notices", {}))
    assert stored(user).device_notices is False
    page = Page(browser.get("/account"))
    assert "checked" not in page.fields()["device_notices"]
    browser.post("/account/notices", {"device_notices": "on"})
    assert stored(user).device_notices is True


@pytest.mark.parametrize("language", ["en", "fr"])
def test_pages_of_mails_are_in_the_language_of_the_browser(
    service: Service, mailbox: Mailbox, language: str
) -> None:
    """So is the mail that they send."""
    user = stored_user()
    browser = Browser(service, **{"Accept-Language": language})
    for path in ("/forgot", "/confirm", "/undo", "/reset"):
        page = browser.get(path)
        assert f'<html lang="{language}"' in page.text
        assert len(page.data) < 60_000
        Page(page)
    browser.post("/forgot", {"email": user.email})
    (mail,) = mailbox.deliver()
    assert mail["Content-Language"] == language


@pytest.fixture
def strict(build: Build, mailbox: Mailbox) -> Service:
    """Return a service that demands a confirmed email."""
    stored_user("admin", "admin@example.com")
    return build(
        "session_db_auth",
        WEB_PAGES="on",
        REGISTRATION="open",
        AUTHZ_POLICY="self",
        REQUIRE_CONFIRMED_EMAIL="on",
    )


def test_unconfirmed_user_cannot_sign_in(
    strict: Service, mailbox: Mailbox
) -> None:
    """Only the right password reveals it; the link lets the user in."""
    browser = Browser(strict)
    form = {"email": "ada@example.com", "password": NEW}
    made = browser.post("/register", form)
    assert made.headers["Location"] == "/sign-in"
    assert "Open the link in the email" in browser.follow(made).text
    refused = browser.post("/sign-in", form)
    assert refused.status_code == 403
    assert "Confirm your address first" in refused.text
    assert browser.get("/account").status_code == 303
    wrong = browser.post("/sign-in", form | {"password": "wrong"})
    assert wrong.status_code == 401
    answer = strict.client().post(LOGIN, data=form)
    assert (answer.status_code, answer.get_json()) == (
        403,
        {"error": "email not confirmed"},
    )
    assert "Set-Cookie" not in answer.headers
    (mail,) = mailbox.deliver()
    browser.post("/confirm", {"token": link_of(mail)})
    assert browser.post("/sign-in", form).status_code == 303
    assert browser.get("/account").status_code == 200


def test_admin_signs_in_without_a_confirmed_email(strict: Service) -> None:
    """Otherwise a fault of the mail server would lock all admins out."""
    (admin,) = User.search({"email": "admin@example.com"})
    assert strict.log_in(admin)[1].status_code == 200


def test_unconfirmed_user_is_refused_with_basic_credentials(
    build: Build, mailbox: Mailbox
) -> None:
    """A cookie beside them makes no difference."""
    service = build("basic_auth", REQUIRE_CONFIRMED_EMAIL="on")
    user = stored_user()
    client = service.client()
    given = (str(user.email), PASSWORD)
    path = "/api/v1/users/me"
    assert client.get(path, auth=given).status_code == 403
    client.set_cookie("_my_session_id", "x")
    assert client.get(path, auth=given).status_code == 403
    user.email_verified_at = user.created_at
    user.save()
    assert client.get(path, auth=given).status_code == 200


def test_registration_queues_one_mail_and_only_if_stored(
    service: Service, mailbox: Mailbox
) -> None:
    """An email that is taken gets none."""
    user = stored_user()
    Browser(service).post("/register", {"email": user.email, "password": NEW})
    assert mailbox.deliver() == []
    Browser(service).post(
        "/register", {"email": "ada@example.com", "password": NEW}
    )
    (mail,) = mailbox.deliver()
    assert mail["To"] == "ada@example.com"
    assert re.search("/confirm#token=", link_of(mail))
