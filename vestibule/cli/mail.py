#!/usr/bin/env python3
"""`mail`: test the server, send what is due, list, retry and drop mails.

A server process sends by itself. `mail send` is for installations whose
service may not reach the mail server, from cron or a systemd timer.
"""

from datetime import timedelta
from typing import Any

import click

from vestibule.accounts.credentials import check_email
from vestibule.accounts.mail_flows import drop_mail, retry_mail
from vestibule.cli.arguments import current_actor, require_database
from vestibule.cli.commands import CommandError
from vestibule.cli.output import (
    format_time,
    json_option,
    show_json,
    show_result,
    show_table,
)
from vestibule.core.command_line import command_line
from vestibule.core.errors import InvalidValue
from vestibule.core.mail_settings import MailServer
from vestibule.core.text import escape_control_characters
from vestibule.db import mail_search, outgoing_mails
from vestibule.db.outgoing_mails import NewMail, OutgoingMail
from vestibule.mail.notices import LANGUAGES, MailKind
from vestibule.mail.outbox import send_due, send_now
from vestibule.mail.transport import DeliveryError, configured_server

#: Rows of a list, unless another number is asked for.
DEFAULT_ROWS = 100
#: Rows of a list at most.
MAX_ROWS = 10_000
_TEST_LIFETIME = timedelta(minutes=5)


@click.group()
def mail() -> None:
    """Send mail, and see what became of it."""


@mail.command("test")
@click.argument("address")
@click.option(
    "--language",
    type=click.Choice(LANGUAGES),
    default=LANGUAGES[0],
    show_default=True,
    help="The language of the mail.",
)
@json_option
def send_test(address: str, language: str, as_json: bool) -> None:
    """Send a test mail to ADDRESS now, and show what the server says."""
    server = _server()
    try:
        check_email(address)
    except InvalidValue as error:
        raise CommandError(str(error)) from None
    test = NewMail(MailKind.TEST, address, _TEST_LIFETIME, language=language)
    try:
        send_now(server, test)
    except DeliveryError as error:
        raise CommandError(f"{server.label}: {error}") from None
    show_result(
        {"server": server.label, "address": address},
        f"{server.label} accepted a mail to {address}",
        as_json,
    )


@mail.command()
@json_option
def send(as_json: bool) -> None:
    """Send the mails that are due, then end."""
    _server()
    require_database()
    tried = 0
    while number := send_due():
        tried += number
    state = outgoing_mails.queue_state()
    show_result(
        {"tried": tried, "queued": state.queued},
        f"tried {tried} mails; {state.queued} are queued",
        as_json,
    )


@mail.command("list")
@click.option(
    "--state",
    type=click.Choice(("queued", "sent", "failed")),
    help="Only mails in this state.",
)
@click.option(
    "--limit",
    type=click.IntRange(1, MAX_ROWS),
    default=DEFAULT_ROWS,
    show_default=True,
    help="Rows at most.",
)
@json_option
def list_mails(state: str | None, limit: int, as_json: bool) -> None:
    """List the mails of the last week, newest first."""
    require_database()
    found = mail_search.newest(limit, state)
    if as_json:
        show_json(_as_object(each) for each in found)
        return
    show_table(
        ("id", "kind", "to", "state", "created (UTC)", "tries", "error"),
        (
            (
                each.id,
                each.kind,
                each.address,
                each.state,
                format_time(each.created_at),
                str(each.tries),
                each.error or "",
            )
            for each in found
        ),
    )


@mail.command()
@click.argument("mail_id", nargs=-1, required=True)
@json_option
def retry(mail_id: tuple[str, ...], as_json: bool) -> None:
    """Send the mails with these ids soon, also those that failed."""
    require_database()
    actor = current_actor()
    unknown = [each for each in mail_id if not retry_mail(each, actor=actor)]
    number = len(mail_id) - len(unknown)
    show_result({"queued": number}, f"queued {number} mails", as_json)
    _refuse(unknown, "waits or failed with content that is still valid")


@mail.command()
@click.argument("mail_id", nargs=-1, required=True)
@json_option
def drop(mail_id: tuple[str, ...], as_json: bool) -> None:
    """Never send the queued mails with these ids."""
    require_database()
    actor = current_actor()
    unknown = [each for each in mail_id if not drop_mail(each, actor=actor)]
    number = len(mail_id) - len(unknown)
    show_result({"dropped": number}, f"dropped {number} mails", as_json)
    _refuse(unknown, "is queued")


def _server() -> MailServer:
    """Return the configured server; fail if there is none."""
    server = configured_server()
    if server is None:
        raise CommandError("MAIL_URL is not set: no mail is sent")
    return server


def _refuse(unknown: list[str], condition: str) -> None:
    """Fail if some ids name no mail that meets the condition."""
    if unknown:
        shown = escape_control_characters(", ".join(unknown))
        raise CommandError(
            f"no mail with the id {shown} {condition}; see:"
            f" {command_line('mail list')}"
        )


def _as_object(one: OutgoingMail) -> dict[str, Any]:
    """Return a mail as a JSON object."""
    return {
        "id": one.id,
        "kind": one.kind,
        "user_id": one.user_id,
        "address": one.address,
        "state": one.state,
        "created_at": format_time(one.created_at),
        "due_at": format_time(one.due_at),
        "expires_at": format_time(one.expires_at),
        "sent_at": format_time(one.sent_at),
        "tries": one.tries,
        "error": one.error,
    }
