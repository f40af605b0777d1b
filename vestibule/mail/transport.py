#!/usr/bin/env python3
"""Hand a mail to an SMTP server, a folder, or standard error.

The standard library's `smtplib` speaks SMTP (RFC 5321). Each of its steps
has a time limit, and a watch bounds the whole: a server that sends a byte
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
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from vestibule.core import clock, mail_settings, page_settings
from vestibule.core.errors import ConfigurationError
from vestibule.core.mail_settings import MailServer
from vestibule.core.threads import start_thread

#: Seconds that a step of the protocol may take.
STEP_TIMEOUT_SECONDS = 10.0
#: Seconds from the connection to the end of a mail.
MAX_DELIVERY_SECONDS = 40.0
#: Seconds after which a connection is shut down once more.
SHUT_DOWN_AGAIN_SECONDS = 1.0
#: Characters of a server's reply that are kept.
MAX_REPLY_LENGTH = 200


class DeliveryError(Exception):
    """A mail was not accepted.

    `permanent` is True if another attempt cannot succeed (a 5xx reply).
    `is_usable` is True if the next mail can be sent over the connection.
    """

    def __init__(
        self, reason: str, permanent: bool = False, is_usable: bool = False
    ) -> None:
        """Keep the reason, on one line."""
        printable = "".join(c if c.isprintable() else " " for c in reason)
        super().__init__(" ".join(printable.split())[:MAX_REPLY_LENGTH])
        self.permanent = permanent
        self.is_usable = is_usable


@dataclass(frozen=True)
class Message:
    """A mail as it is handed to a server; `repr` does not show its text."""

    id: str
    sender: str
    recipient: str
    subject: str
    plain: str = field(repr=False)
    #: The headers and both parts, as they are sent (RFC 5322).
    content: bytes = field(repr=False)


Deliver = Callable[[Message], None]


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
    """Connect; lend the function that delivers a message.

    Both raise `DeliveryError`.
    """
    if server.kind == "console":
        yield _print
    elif server.kind == "file":
        yield lambda message: _write_file(server, message)
    else:
        watch = _Watch()
        try:
            with watch.bound():
                connection = _connect(server, watch)
            yield lambda message: _send(connection, watch, message)
        finally:
            watch.close()


def check_server(server: MailServer) -> None:
    """Raise `DeliveryError` unless the server can be used; send nothing."""
    if server.kind == "file":
        _prepare_folder(server)
        return
    with open_transport(server):
        pass


class _Watch:
    """Shuts a connection down when a step on it takes too long.

    One thread watches all mails of a connection: a timer for each of them
    would start a thread.
    """

    def __init__(self) -> None:
        """Watch no connection yet."""
        self.connection: smtplib.SMTP | None = None
        self._changed = threading.Condition()
        self._deadline: float | None = None
        self._closed = self._expired = False

    @contextmanager
    def bound(self) -> Iterator[None]:
        """Bound the block; raise `DeliveryError` for what SMTP raises."""
        self._set_deadline(clock.monotonic() + MAX_DELIVERY_SECONDS)
        try:
            yield
        except (smtplib.SMTPException, OSError, ValueError) as error:
            raise self._delivery_error(error) from None
        finally:
            self._set_deadline(None)

    def close(self) -> None:
        """Close the connection, and end the thread."""
        with self._changed:
            self._closed = True
            self._changed.notify()
        if self.connection is not None:
            self.connection.close()

    def start(self, connection: smtplib.SMTP) -> None:
        """Watch a connection; raise `OSError` if no thread can start."""
        self.connection = connection
        if start_thread("mail watch", self._run) is None:
            raise OSError("no thread can watch the connection")

    def _set_deadline(self, deadline: float | None) -> None:
        """Set the time, of the monotonic clock, at which a step must end."""
        with self._changed:
            self._deadline = deadline

    def _run(self) -> None:
        """Shut the connection down at the deadline of a step.

        Deadlines only move away, so the thread looks again at the first one.
        A connection that is made after its deadline is shut down as well.
        """
        with self._changed:
            while not self._closed:
                wait = MAX_DELIVERY_SECONDS
                if self._deadline is not None:
                    wait = self._deadline - clock.monotonic()
                if wait <= 0 or self._expired:
                    self._expired = True
                    self._shut_down()
                    wait = SHUT_DOWN_AGAIN_SECONDS
                self._changed.wait(wait)

    def _shut_down(self) -> None:
        """End any wait for the server."""
        watched = self.connection
        if watched is not None and watched.sock is not None:
            try:
                watched.sock.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass

    def _delivery_error(self, error: Exception) -> DeliveryError:
        """Return the error for one of `smtplib` or of the connection."""
        if self._expired:
            return DeliveryError("the server is too slow")
        used = self.connection
        is_usable = used is not None and used.sock is not None
        reply: bytes | str
        if isinstance(error, smtplib.SMTPRecipientsRefused):
            code, reply = next(iter(error.recipients.values()))
        elif isinstance(error, smtplib.SMTPResponseException):
            code, reply = error.smtp_code, error.smtp_error
        else:
            text = f"{type(error).__name__}: {error}"
            return DeliveryError(text, is_usable=is_usable)
        if isinstance(reply, bytes):
            reply = reply.decode(errors="replace")
        # Wrong credentials are the operator's fault; each mail would be lost.
        permanent = 500 <= code <= 599 and code not in (530, 534, 535, 538)
        return DeliveryError(f"{code} {reply}", permanent, is_usable)


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
    watch.start(connection)
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


def _send(connection: smtplib.SMTP, watch: _Watch, message: Message) -> None:
    """Send one message on an open connection.

    A refused mail leaves the connection usable: `smtplib` resets it, or
    closes it after a reply 421.
    """
    is_ascii = message.recipient.isascii()
    with watch.bound():
        try:
            connection.sendmail(
                message.sender,
                [message.recipient],
                message.content,
                () if is_ascii else ("SMTPUTF8", "BODY=8BITMIME"),
            )
        except (
            smtplib.SMTPRecipientsRefused,
            smtplib.SMTPSenderRefused,
            smtplib.SMTPDataError,
            smtplib.SMTPNotSupportedError,
        ):
            raise
        except BaseException:
            # What the server has read of it is not known.
            connection.close()
            raise


def _print(message: Message) -> None:
    """Write a message to standard error."""
    print(
        f"mail to {message.recipient}: {message.subject}\n\n{message.plain}",
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


def _write_file(server: MailServer, message: Message) -> None:
    """Write a message to a file that is named after its id."""
    _prepare_folder(server)
    path = server.folder / f"{message.id}.eml"
    try:
        new = path.with_suffix(".new")
        flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC
        with os.fdopen(os.open(new, flags, 0o600), "wb") as file:
            file.write(message.content)
        new.rename(path)
    except OSError as error:
        raise DeliveryError(str(error)) from None
