#!/usr/bin/env python3
"""The admin pages of mails: the queue, a user's mails, links by mail."""

from datetime import timedelta
from pathlib import Path

import pytest

from tests.app.api.conftest import Build
from tests.app.api.service import NEW, PASSWORD, Service, stored_user
from tests.app.web.browser import Browser, Page, signed_in
from tests.app.web.test_admin_pages import shown
from tests.clocks import SetClock
from tests.mailbox import Mailbox, link_of, plain
from vestibule.accounts.mail_flows import INVITATION_LIFETIME
from vestibule.accounts.users import disable, invite
from vestibule.core import clock
from vestibule.db import mail_search, outgoing_mails
from vestibule.db.models.user import User
from vestibule.db.outgoing_mails import NewMail, OutgoingMail
from vestibule.mail.notices import MailKind
from vestibule.mail.outbox import MailSender
from vestibule.web.admin import lists

MAILS, SELECTED = "/admin/mails", "/admin/mails/selected"
EVIL = "<script>alert(1)</script>"


@pytest.fixture
def mailbox(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, set_clock: SetClock
) -> Mailbox:
    """Send mails to a folder, only when the test says so."""
    monkeypatch.setattr(MailSender, "ensure_running", lambda self: None)
    mails = Mailbox(tmp_path / "mails")
    mails.configure(monkeypatch)
    return mails


@pytest.fixture
def service(build: Build, mailbox: Mailbox) -> Service:
    """Return a service with pages and mail."""
    return build("session_db_auth", WEB_PAGES="on")


@pytest.fixture
def admin(service: Service) -> Browser:
    """Return the browser of an admin who has just signed in."""
    return signed_in(service, stored_user("admin", "chief@example.com"))


def queued(user: User, kind: MailKind = MailKind.ROLE_CHANGED) -> str:
    """Queue a mail to a user; return its id."""
    assert user.email is not None
    mail = NewMail(
        kind,
        user.email,
        timedelta(hours=1),
        user_id=user.id,
        detail={"role": "admin"},
    )
    before = {each.id for each in mail_search.newest(99)}
    outgoing_mails.add([mail])
    after = {each.id for each in mail_search.newest(99)}
    (id,) = after - before
    return id


def stored(id: str) -> OutgoingMail:
    """Return the mail with this id as the database has it."""
    (mail,) = mail_search.find([id])
    return mail


def failed(user: User, error: str) -> str:
    """Store a mail that failed with `error`; return its id."""
    id = queued(user)
    outgoing_mails.mark_failed([stored(id)], error, permanent=True)
    return id


def text_of(browser: Browser, path: str) -> str:
    """Return the text of a page, with single spaces."""
    return " ".join(shown(browser, path).split())


def test_user_page_says_whether_the_email_is_confirmed(
    admin: Browser,
) -> None:
    """It has the time of the confirmation."""
    user = stored_user()
    path = f"/admin/users/{user.id}"
    assert "Email confirmed Not confirmed" in text_of(admin, path)
    user.email_verified_at = clock.now()
    user.save_changes()
    text = text_of(admin, path)
    assert "Email confirmed" in text and "Not confirmed" not in text


def test_admin_mails_a_reset_to_a_user(
    service: Service, admin: Browser, mailbox: Mailbox
) -> None:
    """The admin never sees the link, and the user's page lists the mail."""
    user = stored_user()
    path = f"/admin/users/{user.id}"
    assert f"{path}/mail" in admin.get(path).text
    asked = admin.get(f"{path}/mail")
    assert "Email a link for a new password?" in asked.text
    answer = admin.post(f"{path}/mail")
    assert "is on its way" in admin.follow(answer).text
    (mail,) = mailbox.deliver()
    assert mail["To"] == user.email
    token = link_of(mail).partition("#token=")[2]
    text = text_of(admin, path)
    assert "Link for a new password" in text and "Sent" in text
    assert token not in admin.get(path).text + admin.get(MAILS).text
    form = {"code": link_of(mail), "new_password": NEW}
    assert Browser(service).post("/reset", form).status_code == 303
    changed = User.get_committed(user.id)
    assert changed is not None and changed.is_valid_password(NEW)


def test_admin_mails_an_invitation_to_a_user_without_password(
    service: Service, admin: Browser, mailbox: Mailbox
) -> None:
    """Its link lets the user choose a password, for 72 hours."""
    user = invite("new@example.com").user
    path = f"/admin/users/{user.id}"
    assert "Email an invitation…" in admin.get(path).text
    assert "Email an invitation?" in admin.get(f"{path}/mail").text
    admin.post(f"{path}/mail")
    (mail,) = mailbox.deliver()
    (row,) = mail_search.newest(9, user_id=user.id)
    assert row.kind == MailKind.INVITATION
    assert row.expires_at - row.created_at == INVITATION_LIFETIME
    form = {"code": link_of(mail), "new_password": NEW}
    assert Browser(service).post("/reset", form).status_code == 303
    changed = User.get_committed(user.id)
    assert changed is not None and changed.is_valid_password(NEW)


def test_page_says_that_no_mail_was_sent(
    admin: Browser, mailbox: Mailbox
) -> None:
    """An address gets one in a minute, and a disabled user none."""
    user, other = stored_user(), stored_user()
    for number in range(2):
        answer = admin.post(f"/admin/users/{user.id}/mail")
        text = admin.follow(answer).text
        assert ("No email was sent" in text) == bool(number)
    disable(other)
    path = f"/admin/users/{other.id}"
    assert f"{path}/mail" not in admin.get(path).text
    answer = admin.post(f"{path}/mail")
    assert "No email was sent" in admin.follow(answer).text
    assert [mail["To"] for mail in mailbox.deliver()] == [user.email]


def test_password_mail_needs_a_recent_password(
    admin: Browser, mailbox: Mailbox, set_clock: SetClock
) -> None:
    """Another user at the admin's browser sends nothing."""
    user = stored_user()
    set_clock.advance(3600)
    answer = admin.post(f"/admin/users/{user.id}/mail", {"password": "wrong"})
    assert answer.status_code == 401
    assert mailbox.deliver() == []


def test_without_mail_there_is_nothing_to_send(build: Build) -> None:
    """The user's page is as before, and the action does not exist."""
    service = build("session_db_auth", WEB_PAGES="on")
    browser = signed_in(service, stored_user("admin"))
    user = stored_user()
    path = f"/admin/users/{user.id}"
    text = browser.get(path).text
    assert f"{path}/mail" not in text and "Email confirmed" not in text
    assert browser.get(f"{path}/mail").status_code == 404
    assert browser.post(f"{path}/mail").status_code == 404
    assert mail_search.newest(9) == []
    assert MAILS not in browser.get("/admin/overview").text
    assert "This service sends no email now." in browser.get(MAILS).text


def test_overview_links_queued_and_failed_mails(admin: Browser) -> None:
    """Each number leads to the list that has its mails."""
    user = stored_user()
    queued(user)
    for _ in range(2):
        failed(user, "550 no such mailbox")
    text = text_of(admin, "/admin/overview")
    assert "1 Queued emails" in text and "2 Failed emails" in text
    links = [
        given["href"]
        for tag, given in Page(admin.get("/admin/overview")).elements
        if tag == "a" and str(given.get("href")).startswith(MAILS)
    ]
    assert links == [f"{MAILS}?state=queued", f"{MAILS}?state=failed"]


def test_queue_is_filtered_by_state_and_user(admin: Browser) -> None:
    """Errors are texts of mail servers, and shown as text."""
    user, other = stored_user(), stored_user()
    queued(user)
    failed(other, f"550 {EVIL}")
    every = text_of(admin, MAILS)
    assert str(user.email) in every and str(other.email) in every
    assert f"550 {EVIL}" in every and "2 emails" in every
    assert EVIL not in admin.get(MAILS).text
    only = text_of(admin, f"{MAILS}?state=queued")
    assert str(user.email) in only and str(other.email) not in only
    only = text_of(admin, f"{MAILS}?user={other.email}")
    assert "1 email " in only and str(user.email) not in only
    assert "No emails match." in text_of(admin, f"{MAILS}?state=sent")
    assert f"Failed 0 550 {EVIL}" in text_of(admin, f"/admin/users/{other.id}")


def order_of(admin: Browser, path: str) -> str:
    """Return the first letter of each recipient, on all pages of a list."""
    found = ""
    while path:
        page = Page(admin.get(path))
        labels = [
            str(given.get("aria-label"))
            for tag, given in page.elements
            if tag == "input" and given.get("name") == "mail"
        ]
        found += "".join(
            label.rpartition(" \u00b7 ")[2][0] for label in labels
        )
        links = {
            given.get("rel"): str(given["href"])
            for tag, given in page.elements
            if tag == "a"
        }
        path = links.get("next", "")
    return found


def test_queue_is_sorted_by_column_heads(
    admin: Browser, monkeypatch: pytest.MonkeyPatch, set_clock: SetClock
) -> None:
    """Each head sorts, then reverses; the order stays on the next page."""
    monkeypatch.setattr(lists, "PAGE_SIZES", (2, 50))
    users = [stored_user(email=f"{letter}@example.com") for letter in "bcad"]
    for user in users:
        queued(user)
        set_clock.advance(1)
    failed(users[0], "550 full")

    for sort, expected in (
        ("", "bdacb"),
        ("to", "abbcd"),
        ("-to", "dcbba"),
        ("state", "bbcad"),
        ("-state", "dacbb"),
        ("-kind", "bdacb"),
        ("error", "bbcad"),
    ):
        assert order_of(admin, f"{MAILS}?sort={sort}") == expected, sort
    heads = {
        str(given["href"]).rpartition("sort=")[2]
        for tag, given in Page(admin.get(f"{MAILS}?sort=to")).elements
        if tag == "a" and f"{MAILS}?sort=" in str(given.get("href"))
    }
    others = {"kind", "user", "state", "attempts", "error"}
    assert {"-to", "-created"} | others <= heads


@pytest.mark.parametrize(
    "query",
    ["state=lost", "after=forged", "user=%00", "sort=tries", "sort=--to"],
)
def test_invalid_filter_of_the_queue_shows_no_mail(
    admin: Browser, query: str
) -> None:
    """The status is 400."""
    user = stored_user()
    queued(user)
    answer = admin.get(f"{MAILS}?{query}")
    assert answer.status_code == 400
    assert str(user.email) not in answer.text


def test_queue_has_pages(
    admin: Browser, monkeypatch: pytest.MonkeyPatch, set_clock: SetClock
) -> None:
    """They lead forward and back, newest first, each mail once."""
    monkeypatch.setattr(lists, "PAGE_SIZES", (2, 50))
    users = []
    for _ in range(5):
        users.append(stored_user())
        queued(users[-1])
        set_clock.advance(1)
    path, seen, previous = MAILS, [], []
    while path:
        page = Page(admin.get(path))
        seen += [user for user in users if str(user.email) in page.text]
        links = {
            given.get("rel"): str(given["href"])
            for tag, given in page.elements
            if tag == "a"
        }
        previous.append(links.get("prev"))
        path = links.get("next", "")
    assert sorted(seen, key=users.index) == users
    assert len(previous) == 3 and previous[0] is None
    back = Page(admin.get(str(previous[-1]))).text
    assert str(users[2].email) in back and str(users[1].email) in back
    assert str(users[4].email) not in back


def test_selected_mails_are_sent_again_or_dropped(
    admin: Browser, mailbox: Mailbox
) -> None:
    """Each action is confirmed once, and leads back to the list."""
    user, back = stored_user(), f"{MAILS}?state=failed"
    one, two = failed(user, "550 full"), queued(user)
    form = {"mail": [one], "do": "retry", "back": back}
    asked = admin.get(SELECTED, query_string=form)
    assert "Send this email now?" in asked.text
    assert stored(one).state == "failed"
    answer = admin.post(SELECTED, form)
    assert answer.headers["Location"] == back
    assert "will be sent soon" in admin.follow(answer).text
    form = {"mail": [two], "do": "drop"}
    asked = admin.get(SELECTED, query_string=form)
    assert "Do not send this email?" in asked.text
    answer = admin.post(SELECTED, form)
    assert "will not be sent" in admin.follow(answer).text
    (mail,) = mailbox.deliver()
    assert "role" in plain(mail)
    assert (stored(one).state, stored(two).state) == ("sent", "failed")
    assert stored(two).error == "dropped"


def test_sent_and_expired_mails_are_not_sent_again(
    admin: Browser, mailbox: Mailbox, set_clock: SetClock
) -> None:
    """The page says which of all, some and none was done."""
    user = stored_user()
    sent = queued(user)
    assert len(mailbox.deliver()) == 1
    old = failed(user, "451 later")
    set_clock.advance(3601)
    new = failed(user, "451 later")
    for mails, told in (
        ([sent, old], "Nothing was changed"),
        ([sent, old, new], "not for all selected emails"),
        (["gone", "\0"], "deleted in the meantime"),
        ([], "Select at least one row"),
    ):
        form = {"mail": mails, "do": "retry", "password": PASSWORD}
        answer = admin.post(SELECTED, form)
        assert told in admin.follow(answer).text, mails
    assert len(mailbox.deliver()) == 1


def test_unknown_action_on_mails_does_not_exist(admin: Browser) -> None:
    """Only retry and drop do."""
    form = {"mail": [queued(stored_user())], "do": "delete"}
    assert admin.post(SELECTED, form).status_code == 404
    assert admin.get(SELECTED, query_string=form).status_code == 404


def test_selected_mails_need_a_recent_password(
    admin: Browser, mailbox: Mailbox, set_clock: SetClock
) -> None:
    """The page that asks keeps the selection."""
    id = queued(stored_user())
    set_clock.advance(3000)
    form = {"mail": [id], "do": "drop", "password": "wrong"}
    answer = admin.post(SELECTED, form)
    assert answer.status_code == 401
    assert f'name="mail" value="{id}"' in answer.text
    assert stored(id).state == "queued"
    another = {"headers": {"Sec-Fetch-Site": "cross-site"}}
    assert admin.post(SELECTED, form, **another).status_code == 403


def test_members_see_and_change_no_mails(service: Service) -> None:
    """The answer does not depend on what they send."""
    user = stored_user()
    id, browser = queued(user), signed_in(service, user)
    for path in (MAILS, SELECTED, f"/admin/users/{user.id}/mail"):
        assert browser.get(path).status_code == 403
    form = {"mail": [id], "do": "drop"}
    assert browser.post(SELECTED, form).status_code == 403
    assert browser.post(f"/admin/users/{user.id}/mail").status_code == 403
    assert stored(id).state == "queued"
    assert Browser(service).get(MAILS).status_code == 303


def test_pages_of_mails_are_in_french(admin: Browser) -> None:
    """By the language of the browser."""
    failed(stored_user(), "550 full")
    admin.headers["Accept-Language"] = "fr"
    text = text_of(admin, MAILS)
    assert "Échoué" in text and "Queued" not in text
