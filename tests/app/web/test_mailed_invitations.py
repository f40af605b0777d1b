#!/usr/bin/env python3
"""Invitations that were mailed are open ones, as those by a link."""

from tests.app.api.service import NEW, Service, stored_user
from tests.app.web.browser import Browser, Page, signed_in
from tests.app.web.test_admin_mails import admin, mailbox, service
from tests.clocks import SetClock
from tests.mailbox import Mailbox, link_of
from vestibule.accounts.users import invite
from vestibule.db.models.user import User

__all__ = ["admin", "mailbox", "service"]


def test_mailed_invitation_is_listed_and_revoked(
    service: Service,
    admin: Browser,
    mailbox: Mailbox,
    set_clock: SetClock,
) -> None:
    """Its link and a mail that waits end with it; so do earlier ones."""
    invited = invite("new@example.com")
    path = f"/admin/users/{invited.user.id}"
    admin.post(f"{path}/mail")
    (first,) = mailbox.deliver()
    # The link of the admin was for a day.
    set_clock.advance(25 * 3600)
    admin = signed_in(service, stored_user("admin"))
    assert "1 invitation" in Page(admin.get("/admin/invitations")).text
    admin.post(f"{path}/mail")
    (second,) = mailbox.deliver()
    anyone = Browser(service)
    form = {"new_password": NEW, "email": "new@example.com"}
    old = anyone.post("/reset", form | {"code": link_of(first)})
    assert "This link is wrong" in old.text
    set_clock.advance(3600)
    admin = signed_in(service, stored_user("admin"))
    admin.post(f"{path}/mail")
    revoke = f"/admin/invitations/{invited.user.id}/revoke"
    answer = admin.follow(admin.post(revoke))
    assert "The invitation was revoked." in answer.text
    assert mailbox.deliver() == []
    for code in (link_of(second), invited.code.code):
        refused = anyone.post("/reset", form | {"code": code})
        assert refused.status_code == 400
    stored = User.get_committed(invited.user.id)
    assert stored is not None and not stored.has_password
