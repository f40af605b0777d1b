#!/usr/bin/env python3
"""The checks of mail: settings, templates, and the server."""

from collections.abc import Iterator
from datetime import timedelta

from vestibule.checks.settings import CheckResult, Level
from vestibule.core import clock, mail_settings
from vestibule.core.command_line import command_line
from vestibule.core.errors import ConfigurationError
from vestibule.db.outgoing_mails import queue_state
from vestibule.mail.transport import (
    DeliveryError,
    check_server,
    configured_server,
)
from vestibule.mechanisms.auth import Auth

#: The age at which a queued mail is reported.
MAX_QUEUED_TIME = timedelta(minutes=15)


def check_mail_settings() -> None:
    """Raise `ConfigurationError` for a faulty setting or template of mail."""
    if configured_server() is None:
        if mail_settings.REQUIRE_CONFIRMED_EMAIL.read():
            raise ConfigurationError(
                "REQUIRE_CONFIRMED_EMAIL", "needs MAIL_URL to be set"
            )
    else:
        # Jinja and Babel are loaded only if mail is sent.
        from vestibule.mail.messages import check_templates

        check_templates()


def mail_server(_: type[Auth] | None) -> Iterator[CheckResult]:
    """Ask the mail server, without sending anything."""
    try:
        server = configured_server()
    except ConfigurationError:
        # The check of the settings reports it.
        return
    if server is None:
        return
    try:
        check_server(server)
    except DeliveryError as error:
        yield CheckResult(
            "mail.server",
            Level.WRONG,
            f"no mail can be sent to {server.label}: {error}",
            f"see MAIL_URL; {command_line('mail test ADDRESS')} tries it",
        )
    else:
        yield CheckResult(
            "mail.server", Level.GOOD, f"{server.label} accepts mail"
        )


def mail_queue(_: type[Auth] | None) -> Iterator[CheckResult]:
    """Report mails that wait for long."""
    state = queue_state()
    if state.oldest is None:
        return
    if clock.now() - state.oldest > MAX_QUEUED_TIME:
        yield CheckResult(
            "mail.queue",
            Level.WRONG,
            f"{state.queued} mails are queued, the oldest since"
            f" {state.oldest:%Y-%m-%d %H:%M} UTC",
            f"see {command_line('mail list --state queued')}",
        )
