#!/usr/bin/env python3
"""Hand a mail to an SMTP server, a folder, or standard error.

The standard library's `smtplib` speaks SMTP (RFC 5321). Each of its steps
has a time limit, and a timer bounds the whole: a server that sends a byte
now and then would hold the thread, and the lease of the mail would expire.
"""

import os
import smtplib
import socket
import ssl
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from email.message import EmailMessage
from email.policy import SMTP
from urllib.parse import urlsplit

from vestibule.core import mail_settings, page_settings
from vestibule.core.errors import ConfigurationError
from vestibule.core.mail_settings import MailServer

#: Seconds that a step of the protocol may take.
STEP_TIMEOUT_SECONDS = 10.0
#: Seconds from the connection to the end of a mail.
MAX_DELIVERY_SECONDS = 40.0
#: Characters of a server's reply that are kept.
MAX_REPLY_LENGTH = 200


class DeliveryError(Exception):
    """A mail was not accepted.

    `permanent` is True if another attempt cannot succeed (a 5xx reply).
    """

    def __init__(self, reason: str, permanent: bool = False) -> None:
        """Keep the reason, on one line."""
        printable = "".join(c if c.isprintable() else " " for c in reason)
        super().__init__(" ".join(printable.split())[:MAX_REPLY_LENGTH])
        self.permanent = permanent


Deliver = Callable[[EmailMessage, str], None]


def configured_server() -> MailServer | None:
    """Return the server of the settings, `None` if no mail is sent.

    Raise `ConfigurationError` if a setting that mail needs is missing.
    """
    server = mail_settings.MAIL_URL.read()
    if server is None:
        return None
    for needed in (mail_settings.MAIL_FROM, page_settings.PUBLIC_URL):
        if needed.read() is None:
            raise ConfigurationError(needed.name, "must be set for MAIL_URL")
    return server


def public_host() -> str:
    """Return the host of `PUBLIC_URL`, the name of this service in mails."""
    return urlsplit(page_settings.PUBLIC_URL.read() or "").hostname or (
        "localhost"
    )


@contextmanager
def open_transport(server: MailServer) -> Iterator[Deliver]:
    """Connect; lend the function that delivers a message to an address.

    Both raise `DeliveryError`.
    """
    if server.kind == "console":
        yield _print
    elif server.kind == "file":
        yield lambda message, _: _write_file(server, message)
    else:
        with _deadline() as watch:
            connection = _connect(server, watch)
        try:
            yield lambda message, to: _send(connection, message, to)
        finally:
            connection.close()


def check_server(server: MailServer) -> None:
    """Raise `DeliveryError` unless the server can be used; send nothing."""
    if server.kind == "file":
        _prepare_folder(server)
        return
    with open_transport(server):
        pass


class _Watch:
    """Shuts a connection down when its time is over."""

    def __init__(self) -> None:
        """Watch no connection yet."""
        self.connection: smtplib.SMTP | None = None
        self.expired = False

    def expire(self) -> None:
        """Shut the connection down, which ends any wait for it."""
        self.expired = True
        watched = self.connection
        if watched is not None and watched.sock is not None:
            try:
                watched.sock.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass


@contextmanager
def _deadline() -> Iterator[_Watch]:
    """Bound the block; raise `DeliveryError` for what SMTP makes of it."""
    watch = _Watch()
    timer = threading.Timer(MAX_DELIVERY_SECONDS, watch.expire)
    timer.daemon = True
    timer.start()
    try:
        yield watch
    except (smtplib.SMTPException, OSError, ValueError) as error:
        if watch.expired:
            raise DeliveryError("the server is too slow") from None
        raise _delivery_error(error) from None
    finally:
        timer.cancel()


def _delivery_error(error: Exception) -> DeliveryError:
    """Return the error for one of `smtplib` or of the connection."""
    if isinstance(error, smtplib.SMTPRecipientsRefused):
        return _refusal(*next(iter(error.recipients.values())))
    if isinstance(error, smtplib.SMTPResponseException):
        return _refusal(error.smtp_code, error.smtp_error)
    return DeliveryError(f"{type(error).__name__}: {error}")


def _refusal(code: int, reply: bytes | str) -> DeliveryError:
    """Return the error for a reply of the server."""
    text = (
        reply.decode(errors="replace") if isinstance(reply, bytes) else (reply)
    )
    # Wrong credentials are the operator's fault; each mail would be lost.
    permanent = 500 <= code <= 599 and code not in (530, 534, 535, 538)
    return DeliveryError(f"{code} {text}", permanent)


def _connect(server: MailServer, watch: _Watch) -> smtplib.SMTP:
    """Return a connection that is secured and logged in as configured."""
    connection: smtplib.SMTP
    # Reading the authorities takes longer than a mail, so only TLS does it.
    if server.kind == "smtps":
        connection = smtplib.SMTP_SSL(
            local_hostname=public_host(),
            timeout=STEP_TIMEOUT_SECONDS,
            context=ssl.create_default_context(),
        )
    else:
        connection = smtplib.SMTP(
            local_hostname=public_host(), timeout=STEP_TIMEOUT_SECONDS
        )
    # The constructor would set it, and connect before the watch begins.
    connection._host = server.host  # type: ignore[attr-defined]
    watch.connection = connection
    try:
        code, greeting = connection.connect(server.host, server.port)
        if code != 220:
            raise smtplib.SMTPConnectError(code, greeting)
        connection.ehlo_or_helo_if_needed()
        if server.kind == "smtp" and connection.has_extn("starttls"):
            connection.starttls(context=ssl.create_default_context())
            connection.ehlo()
        elif server.needs_starttls:
            raise smtplib.SMTPNotSupportedError("the server has no STARTTLS")
        if server.user:
            connection.login(server.user, server.password)
    except BaseException:
        connection.close()
        raise
    return connection


def _send(connection: smtplib.SMTP, message: EmailMessage, to: str) -> None:
    """Send one message on an open connection."""
    with _deadline() as watch:
        watch.connection = connection
        try:
            connection.send_message(message, to_addrs=[to])
        except BaseException:
            # What the server has read of it is not known.
            connection.close()
            raise


def _print(message: EmailMessage, to: str) -> None:
    """Write a message to standard error."""
    text = message.get_body(("plain",))
    content = "" if text is None else text.get_content()
    print(
        f"mail to {to}: {message['Subject']}\n\n{content}",
        file=sys.stderr,
        flush=True,
    )


def _prepare_folder(server: MailServer) -> None:
    """Create the folder, which only its owner may read."""
    try:
        server.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        if not os.access(server.folder, os.W_OK):
            raise PermissionError(f"no right to write to {server.folder}")
    except OSError as error:
        raise DeliveryError(str(error)) from None


def _write_file(server: MailServer, message: EmailMessage) -> None:
    """Write a message to a file that is named after its Message-ID."""
    _prepare_folder(server)
    name = str(message["Message-ID"]).strip("<>").partition("@")[0]
    path = server.folder / f"{name}.eml"
    try:
        new = path.with_suffix(".new")
        flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC
        with os.fdopen(os.open(new, flags, 0o600), "wb") as file:
            file.write(message.as_bytes(policy=SMTP))
        new.rename(path)
    except OSError as error:
        raise DeliveryError(str(error)) from None
