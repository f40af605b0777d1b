#!/usr/bin/env python3
"""Mails over SMTP and into files: servers with the usual faults."""

import threading
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from tests.mail_server import (
    PASSWORD,
    USER,
    Inbox,
    certificate,
    running,
    silent_server,
    slow_server,
)
from tests.mailbox import ORIGIN, SENDER, plain
from vestibule.core import mail_settings
from vestibule.core.errors import ConfigurationError
from vestibule.mail import transport
from vestibule.mail.messages import message, render
from vestibule.mail.notices import MailKind
from vestibule.mail.transport import (
    Deliver,
    DeliveryError,
    Message,
    check_server,
    configured_server,
    open_transport,
)

BOB = "bob@example.com"


@pytest.fixture(autouse=True)
def sender(monkeypatch: pytest.MonkeyPatch) -> None:
    """Set what each mail needs."""
    monkeypatch.setenv("MAIL_FROM", SENDER)
    monkeypatch.setenv("PUBLIC_URL", ORIGIN)


@pytest.fixture
def tls(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a certificate that this process trusts."""
    file = certificate(tmp_path)
    monkeypatch.setenv("SSL_CERT_FILE", str(file))
    return file


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Wait for a server for a fraction of a second."""
    monkeypatch.setattr(transport, "STEP_TIMEOUT_SECONDS", 0.5)
    monkeypatch.setattr(transport, "MAX_DELIVERY_SECONDS", 1.0)
    yield


def a_mail(to: str = BOB) -> Message:
    """Return a test mail."""
    text = render(MailKind.TEST, "en", {})
    return message("mail-1", to, "en", text, datetime.now(UTC))


def send(monkeypatch: pytest.MonkeyPatch, url: str) -> None:
    """Send a mail to the server at `url`."""
    monkeypatch.setenv("MAIL_URL", url)
    server = configured_server()
    assert server is not None
    with open_transport(server) as deliver:
        deliver(a_mail())


def failure(monkeypatch: pytest.MonkeyPatch, url: str) -> DeliveryError:
    """Return the error of sending to the server at `url`."""
    with pytest.raises(DeliveryError) as caught:
        send(monkeypatch, url)
    return caught.value


def refusal(deliver: Deliver, to: str) -> DeliveryError:
    """Return the error of sending a mail to `to` on an open connection."""
    with pytest.raises(DeliveryError) as caught:
        deliver(a_mail(to))
    return caught.value


def test_mail_arrives_over_tls_with_a_login(
    monkeypatch: pytest.MonkeyPatch, tls: Path
) -> None:
    """From the start, and after STARTTLS; the client names its host."""
    credentials = f"{USER}:{PASSWORD.replace(' ', '%20')}"
    for scheme, starttls in (("smtps", False), ("smtp", True)):
        inbox = Inbox()
        with running(inbox, tls, starttls, needs_login=True) as port:
            send(monkeypatch, f"{scheme}://{credentials}@127.0.0.1:{port}")
        (received,) = inbox.received
        assert received["Message-ID"] == "<mail-1@auth.example.com>"
        assert "Vestibule can send email" in plain(received)
        assert inbox.hello == "auth.example.com"


def test_mail_arrives_without_tls_on_this_machine(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A relay on the loopback interface needs no certificate."""
    inbox = Inbox()
    with running(inbox) as port:
        send(monkeypatch, f"smtp://127.0.0.1:{port}")
    assert len(inbox.received) == 1


def test_wrong_login_is_tried_again_later(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The operator can correct it; the password is not in the error."""
    with running(Inbox(), needs_login=True) as port:
        error = failure(monkeypatch, f"smtp://a:wrongpw@127.0.0.1:{port}")
    assert "535" in str(error) and not error.permanent
    assert "wrongpw" not in str(error)


def test_server_without_starttls_is_refused(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """No password is sent in clear to another machine."""
    monkeypatch.setattr(mail_settings, "_is_loopback", lambda host: False)
    inbox = Inbox()
    with running(inbox) as port:
        error = failure(monkeypatch, f"smtp://127.0.0.1:{port}")
    assert "no STARTTLS" in str(error) and inbox.received == []


@pytest.mark.parametrize("fault", ["unknown authority", "other host"])
def test_server_with_a_wrong_certificate_is_refused(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, fault: str
) -> None:
    """Nothing is sent to it."""
    host = "127.0.0.1" if fault == "unknown authority" else "other.example"
    file = certificate(tmp_path, host)
    if fault == "other host":
        monkeypatch.setenv("SSL_CERT_FILE", str(file))
    inbox = Inbox()
    with running(inbox, file) as port:
        error = failure(monkeypatch, f"smtps://127.0.0.1:{port}")
    assert "CERTIFICATE_VERIFY_FAILED" in str(error)
    assert inbox.received == [] and not error.permanent


@pytest.mark.slow
@pytest.mark.parametrize(
    ("reply", "permanent"),
    [
        ("450 try later", False),
        ("550 no such user", True),
        ("552 too big", True),
        ("421 closing", False),
    ],
)
@pytest.mark.parametrize("when", ["recipient", "data"])
def test_refusal_of_a_mail_is_permanent_for_5xx_alone(
    monkeypatch: pytest.MonkeyPatch, when: str, reply: str, permanent: bool
) -> None:
    """The error has the reply of the server on one line."""
    inbox = Inbox(reply if when == "data" else "250 OK")
    if when == "recipient":
        inbox.recipients[BOB] = reply
    with running(inbox) as port:
        error = failure(monkeypatch, f"smtp://127.0.0.1:{port}")
    assert str(error).startswith(reply[:3])
    assert error.permanent is permanent


def test_connection_dropped_after_the_data_is_not_permanent(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The mail may have been accepted or not, so it is sent again."""
    inbox = Inbox()
    inbox.drops = True
    with running(inbox) as port:
        error = failure(monkeypatch, f"smtp://127.0.0.1:{port}")
    assert not error.permanent


@pytest.mark.parametrize("reply", ["550 no such user", "450 try later"])
def test_refused_mail_leaves_the_connection_to_the_next_one(
    monkeypatch: pytest.MonkeyPatch, reply: str
) -> None:
    """Refused by its recipient or an address that the server cannot take."""
    inbox = Inbox()
    inbox.recipients[BOB] = reply
    with running(inbox) as port:
        monkeypatch.setenv("MAIL_URL", f"smtp://127.0.0.1:{port}")
        server = configured_server()
        assert server is not None
        with open_transport(server) as deliver:
            deliver(a_mail("one@example.com"))
            assert refusal(deliver, BOB).is_usable
            error = refusal(deliver, "b\u00f6b@example.com")
            assert error.is_usable and not error.permanent
            deliver(a_mail("two@example.com"))
    assert [each["To"] for each in inbox.received] == [
        "one@example.com",
        "two@example.com",
    ]
    assert inbox.connections == 1


def test_connection_that_a_server_closes_is_not_usable(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A reply 421 ends it, at the recipient as well as after the data."""
    for when in ("recipient", "data"):
        inbox = Inbox("421 closing" if when == "data" else "250 OK")
        if when == "recipient":
            inbox.recipients[BOB] = "421 closing"
        with running(inbox) as port:
            error = failure(monkeypatch, f"smtp://127.0.0.1:{port}")
        assert not error.is_usable


def test_non_ascii_recipient_is_sent_to_a_server_that_takes_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The server says SMTPUTF8 (RFC 6531), and the header is UTF-8."""
    inbox, address = Inbox(), "b\u00f6b@example.com"
    with running(inbox, takes_utf8=True) as port:
        monkeypatch.setenv("MAIL_URL", f"smtp://127.0.0.1:{port}")
        server = configured_server()
        assert server is not None
        with open_transport(server) as deliver:
            deliver(a_mail(address))
    (received,) = inbox.received
    assert received["To"] == address


def test_thread_that_watches_a_connection_ends_with_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """After a delivery, and after a failed connection."""
    with running(Inbox()) as port:
        send(monkeypatch, f"smtp://127.0.0.1:{port}")
    failure(monkeypatch, f"smtp://127.0.0.1:{port}")
    for thread in threading.enumerate():
        if thread.name == "mail watch":
            thread.join(5)
            assert not thread.is_alive()


def test_silent_server_is_given_up(
    monkeypatch: pytest.MonkeyPatch, quick: None
) -> None:
    """A step of the protocol takes a bounded time."""
    with silent_server() as port:
        error = failure(monkeypatch, f"smtp://127.0.0.1:{port}")
    assert not error.permanent


def test_server_that_sends_bytes_now_and_then_is_given_up(
    monkeypatch: pytest.MonkeyPatch, quick: None
) -> None:
    """The whole takes a bounded time too."""
    with slow_server(0.2) as port:
        error = failure(monkeypatch, f"smtp://127.0.0.1:{port}")
    assert str(error) == "the server is too slow"


def test_file_of_a_mail_is_private(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """A folder is created; each mail is one file of it."""
    folder = tmp_path / "a" / "mails"
    send(monkeypatch, f"file://{folder}")
    (file,) = folder.iterdir()
    assert file.name == "mail-1.eml"
    assert file.stat().st_mode & 0o777 == 0o600
    assert folder.stat().st_mode & 0o777 == 0o700


def test_folder_that_cannot_be_written_is_an_error(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Both when it is checked and when a mail is sent."""
    (tmp_path / "file").touch()
    url = f"file://{tmp_path}/file/mails"
    failure(monkeypatch, url)
    server = configured_server()
    assert server is not None
    with pytest.raises(DeliveryError):
        check_server(server)


def test_check_of_a_server_sends_nothing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """It connects and logs in."""
    inbox = Inbox()
    with running(inbox, needs_login=True) as port:
        url = f"smtp://{USER}:{PASSWORD.replace(' ', '%20')}@127.0.0.1:{port}"
        monkeypatch.setenv("MAIL_URL", url)
        server = configured_server()
        assert server is not None
        check_server(server)
        assert PASSWORD not in repr(server) and PASSWORD not in server.label
    assert inbox.received == []


@pytest.mark.parametrize(
    "url",
    [
        "http://mail.example",
        "smtp://",
        "smtp://user@mail.example",
        "smtp://mail.example:99999",
        "smtp://mail.example/path",
        "file:relative",
        "file://host/folder",
        "mail.example",
    ],
)
def test_invalid_url_is_refused_without_its_password(
    monkeypatch: pytest.MonkeyPatch, url: str
) -> None:
    """The message names the setting."""
    monkeypatch.setenv("MAIL_URL", url.replace("smtp://m", "smtp://u:pw@m"))
    with pytest.raises(ConfigurationError, match="MAIL_URL") as caught:
        mail_settings.MAIL_URL.read()
    assert "pw" not in str(caught.value).replace("PASSWORD", "")


@pytest.mark.parametrize("missing", ["MAIL_FROM", "PUBLIC_URL"])
def test_setting_that_mail_needs_must_be_set(
    monkeypatch: pytest.MonkeyPatch, missing: str
) -> None:
    """Without it no server starts."""
    monkeypatch.setenv("MAIL_URL", "console:")
    monkeypatch.delenv(missing)
    with pytest.raises(ConfigurationError, match=missing):
        configured_server()
