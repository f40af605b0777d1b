#!/usr/bin/env python3
"""An SMTP server on this machine, with the faults that servers have.

It is aiosmtpd. `tests/e2e/torture/test_opensmtpd.py` sends to another one.
"""

import socket
import ssl
import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from email.message import EmailMessage
from ipaddress import ip_address
from pathlib import Path
from typing import Any

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import AuthResult, Envelope, LoginPassword, Session
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from tests.mailbox import parsed
from tests.ports import free_port

USER, PASSWORD = "vestibule", "mail secret"


class Inbox:
    """What a server received, and the reply that it gives to a mail."""

    def __init__(self, reply: str = "250 OK") -> None:
        """Begin empty."""
        self.reply = reply
        #: Replies to a recipient, by the address.
        self.recipients: dict[str, str] = {}
        self.received: list[EmailMessage] = []
        self.drops = False
        self.hello = ""
        self.connections = 0

    async def handle_EHLO(
        self,
        server: Any,
        session: Session,
        envelope: Envelope,
        hostname: str,
        responses: list[str],
    ) -> list[str]:
        """Remember the name of the client."""
        self.hello = session.host_name = hostname
        self.connections += 1
        return responses

    async def handle_RCPT(
        self,
        server: Any,
        session: Session,
        envelope: Envelope,
        address: str,
        options: list[str],
    ) -> str:
        """Accept a recipient, or not."""
        reply = self.recipients.get(address, "250 OK")
        if reply.startswith("250"):
            envelope.rcpt_tos.append(address)
        return reply

    async def handle_DATA(
        self, server: Any, session: Session, envelope: Envelope
    ) -> str:
        """Take a mail, or drop the connection after it."""
        if self.reply.startswith("250"):
            content = envelope.content
            assert isinstance(content, bytes)
            self.received.append(parsed(content))
        if self.drops:
            server.transport.abort()
        return self.reply


def certificate(folder: Path, host: str = "127.0.0.1") -> Path:
    """Write a certificate that is its own authority; return the file."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "mail")])
    now = datetime.now(UTC)
    try:
        alternative: x509.GeneralName = x509.IPAddress(ip_address(host))
    except ValueError:
        alternative = x509.DNSName(host)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([alternative]), False)
        .add_extension(x509.BasicConstraints(True, None), True)
        .sign(key, hashes.SHA256())
    )
    file = folder / "mail.pem"
    file.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
        + made.public_bytes(serialization.Encoding.PEM)
    )
    return file


def _login(
    server: Any, session: Any, envelope: Any, mechanism: str, data: Any
) -> AuthResult:
    """Accept the one user."""
    right = isinstance(data, LoginPassword) and (
        (data.login, data.password) == (USER.encode(), PASSWORD.encode())
    )
    return AuthResult(success=right, handled=False)


@contextmanager
def running(
    inbox: Inbox,
    tls: Path | None = None,
    starttls: bool = False,
    needs_login: bool = False,
    takes_utf8: bool = False,
) -> Iterator[int]:
    """Run a server for `inbox`; yield its port.

    `tls` is a file with key and certificate, used from the start or, with
    `starttls`, on request.
    """
    context = None
    if tls is not None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(tls)
    controller = Controller(
        inbox,
        hostname="127.0.0.1",
        port=free_port(),
        ssl_context=None if starttls else context,
        tls_context=context if starttls else None,
        authenticator=_login if needs_login else None,
        auth_required=needs_login,
        auth_require_tls=False,
        ready_timeout=30,
        enable_SMTPUTF8=takes_utf8,
    )
    with warnings.catch_warnings():
        # The loopback interface needs no TLS for a login.
        warnings.filterwarnings("ignore", message="Requiring AUTH")
        controller.start()
        try:
            yield controller.port
        finally:
            controller.stop()


@contextmanager
def silent_server() -> Iterator[int]:
    """Accept connections and say nothing; yield the port."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


@contextmanager
def slow_server(seconds: float) -> Iterator[int]:
    """Send a byte of the greeting at intervals; yield the port."""
    stop = threading.Event()
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve() -> None:
            """Send until the client goes."""
            connection, _ = server.accept()
            with connection:
                try:
                    while not stop.wait(seconds):
                        connection.sendall(b"2")
                except OSError:
                    pass

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        try:
            yield server.getsockname()[1]
        finally:
            stop.set()
            thread.join(10)
