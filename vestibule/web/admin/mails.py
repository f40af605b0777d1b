#!/usr/bin/env python3
"""The mails of the last week: their list, and retry and drop.

The list shows no text of a mail. Only a POST from the confirmation page
changes something, after recent authentication of the admin.
"""

from collections.abc import Callable, Sequence
from typing import NamedTuple

from flask import Response, abort

from vestibule.accounts.mail_flows import drop_mail, retry_mail
from vestibule.accounts.permissions import Action, Actor
from vestibule.admin import filters
from vestibule.admin.cursor import MailList, list_mails
from vestibule.api.views.sessions import current_mechanism_and_user
from vestibule.core.errors import VestibuleError
from vestibule.db import mail_search
from vestibule.db.mail_search import NEWEST_MAILS_FIRST, MailFilter
from vestibule.db.models.base import is_storable
from vestibule.db.outgoing_mails import OutgoingMail
from vestibule.http.access import authorize
from vestibule.http.login import set_session_cookie
from vestibule.http.request import current_actor, current_request
from vestibule.mail.notices import MailKind, is_mail_on
from vestibule.mail.outbox import mail_sender
from vestibule.web.admin.lists import (
    PAGE_SIZES,
    FilterForm,
    count_text,
    user_names,
)
from vestibule.web.forms import (
    Confirmation,
    FormErrors,
    Target,
    check_password_field,
    confirmation_page,
    go_back,
    go_back_without_selection,
    keep_renewed_session,
)
from vestibule.web.i18n import N_, gettext, ngettext
from vestibule.web.messages import Message
from vestibule.web.routes import ADMIN_MAILS, pages
from vestibule.web.templating import page

#: Mails that one action is about at most: those of a page.
MAX_SELECTED = max(PAGE_SIZES)
_SELECTED = f"{ADMIN_MAILS}/selected"
_MAIL_LABELS: dict[str, str] = {
    MailKind.CONFIRM: N_("Confirmation of the email"),
    MailKind.CHANGE: N_("Confirmation of a new email"),
    MailKind.EMAIL_CHANGED: N_("The email was changed"),
    MailKind.RESET: N_("Link for a new password"),
    MailKind.INVITATION: N_("Invitation"),
    MailKind.PASSWORD_CHANGED: N_("The password was changed"),
    MailKind.ROLE_CHANGED: N_("The role was changed"),
    MailKind.NEW_DEVICE: N_("Sign-in with a new device"),
    MailKind.FAILED_SIGN_INS: N_("Failed attempts to sign in"),
    MailKind.FACTOR_ADDED: N_("Second factor added"),
    MailKind.FACTOR_REMOVED: N_("Second factor removed"),
    MailKind.FACTOR_SWITCHED_OFF: N_("Second factor switched off"),
    MailKind.PASSKEY_REFUSED: N_("Passkey refused"),
    MailKind.FACTOR_RESET_ISSUED: N_("Link to remove second factors"),
    MailKind.FACTORS_RESET: N_("All second factors removed"),
    MailKind.RECOVERY_CODE_USED: N_("Recovery code used"),
    MailKind.TEST: N_("Test email"),
}


class MailAction(NamedTuple):
    """What an admin does to mails: its texts, and the function."""

    question: Callable[[int], str]
    consequence: str
    button: str
    #: Returns True if the actor changed the mail with an id.
    perform: Callable[[str, Actor], bool]
    done: Message
    is_dangerous: bool = False


_ACTIONS = {
    "retry": MailAction(
        lambda number: ngettext(
            "Send this email now?", "Send %(number)s emails now?", number
        ),
        N_(
            "Emails that are queued or failed are sent at once, unless what"
            " they carry has expired. Emails that were sent are not sent"
            " again."
        ),
        N_("Send now"),
        lambda id, actor: retry_mail(id, actor=actor),
        Message.MAILS_QUEUED,
    ),
    "drop": MailAction(
        lambda number: ngettext(
            "Do not send this email?", "Do not send %(number)s emails?", number
        ),
        N_("Queued emails are not sent. They stay in the list."),
        N_("Do not send"),
        lambda id, actor: drop_mail(id, actor=actor),
        Message.MAILS_DROPPED,
        True,
    ),
}


def mail_label(kind: str) -> str:
    """Return the label of a kind of mail."""
    label = _MAIL_LABELS.get(kind)
    return kind if label is None else gettext(label)


@pages.get(ADMIN_MAILS)
def show_mails() -> Response:
    """Show the mails that the filter selects, in its order."""
    authorize(Action.MANAGE_MAILS)
    form = FilterForm(ADMIN_MAILS, "user", "state", "sort")
    wanted = form.run(
        lambda: filters.parse_mail_filter(form.values), MailFilter()
    )
    found = form.run(
        lambda: list_mails(wanted, form.size, form.cursor), MailList([], None)
    )
    count = ""
    if form.status == 200:
        count = count_text("mails", mail_search.count(wanted))
    else:
        found = MailList([], None)
    return page(
        "admin_mails.html",
        form.status,
        mails=found.mails,
        count=count,
        names=user_names(each.user_id for each in found.mails),
        has_mail=is_mail_on(),
        filter=form,
        sort=form.values["sort"] or NEWEST_MAILS_FIRST,
        next=form.link(found.next),
        previous=form.link(found.previous),
        mail_label=mail_label,
    )


@pages.get(_SELECTED)
def confirm_selected_mails() -> Response:
    """Ask to confirm an action on the selected mails."""
    authorize(Action.MANAGE_MAILS)
    given = current_request().args
    name, ids = given.get("do", ""), given.getlist("mail")
    chosen, mails = _action(name), _selected(ids)
    if not mails:
        return go_back_without_selection(
            ADMIN_MAILS, ids, Message.SELECTION_GONE
        )
    return _confirm_page(chosen, name, mails)


@pages.post(_SELECTED)
def change_selected_mails() -> Response:
    """Retry or drop the selected mails; the message says if not all."""
    authorize(Action.MANAGE_MAILS)
    form, admin = current_request().form, current_mechanism_and_user()[1]
    name, ids = form.get("do", ""), form.getlist("mail")
    chosen, mails = _action(name), _selected(ids)
    if not mails:
        return go_back_without_selection(
            ADMIN_MAILS, ids, Message.SELECTION_GONE
        )
    problem, renewed = check_password_field(admin, form.get("password", ""))
    if problem is not None:
        return _confirm_page(chosen, name, mails, problem)
    try:
        changed = sum(
            chosen.perform(each.id, current_actor()) for each in mails
        )
    except VestibuleError:
        keep_renewed_session(renewed)
        raise
    mail_sender().notify()
    message = Message.MAILS_UNCHANGED
    if changed:
        message = (
            chosen.done if changed == len(mails) else Message.MAILS_PARTLY
        )
    return set_session_cookie(go_back(ADMIN_MAILS, message), renewed)


def _action(name: str) -> MailAction:
    """Return the action with this name; abort with 404 for another."""
    chosen = _ACTIONS.get(name)
    if chosen is None:
        abort(404)
    return chosen


def _selected(ids: Sequence[str]) -> list[OutgoingMail]:
    """Return the listed mails with these ids, at most those of a page."""
    known = [id for id in dict.fromkeys(ids) if is_storable(id)]
    return mail_search.find(known[:MAX_SELECTED])


def _confirm_page(
    chosen: MailAction,
    name: str,
    mails: Sequence[OutgoingMail],
    problem: FormErrors | None = None,
) -> Response:
    """Return the page that asks to confirm an action on mails."""
    number = len(mails)
    return confirmation_page(
        Confirmation(
            chosen.question(number) % {"number": number},
            gettext(chosen.consequence),
            gettext(chosen.button),
            ADMIN_MAILS,
            [
                Target(f"{mail_label(each.kind)} \u00b7 {each.address}")
                for each in mails
            ],
            [("do", name), *(("mail", each.id) for each in mails)],
            chosen.is_dangerous,
        ),
        problem,
    )
