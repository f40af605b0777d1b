#!/usr/bin/env python3
"""A folder as the mail server, and the mails that arrive in it."""

import email
import re
from email.message import EmailMessage
from email.policy import default
from pathlib import Path

import pytest

from vestibule.mail.outbox import send_due

ORIGIN = "https://auth.example.com"
SENDER = "Example <no-reply@example.com>"


class Mailbox:
    """The mails that were delivered, oldest first."""

    def __init__(self, folder: Path) -> None:
        """Read the mails in `folder`."""
        self.folder = folder

    def settings(self) -> dict[str, str]:
        """Return the settings that send all mails to this folder."""
        return {
            "MAIL_URL": f"file://{self.folder}",
            "MAIL_FROM": SENDER,
            "PUBLIC_URL": ORIGIN,
        }

    def configure(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Set the settings in this process."""
        for name, value in self.settings().items():
            monkeypatch.setenv(name, value)

    def deliver(self) -> list[EmailMessage]:
        """Send what is due; return the new mails."""
        before = set(self._files())
        while send_due():
            pass
        return [
            parsed(file.read_bytes())
            for file in self._files()
            if file not in before
        ]

    def all(self) -> list[EmailMessage]:
        """Return all mails."""
        return [parsed(file.read_bytes()) for file in self._files()]

    def _files(self) -> list[Path]:
        """Return the files of the mails, oldest first."""
        return sorted(
            self.folder.glob("*.eml"), key=lambda file: file.stat().st_mtime_ns
        )


def parsed(content: bytes) -> EmailMessage:
    """Return the message of these bytes."""
    message = email.message_from_bytes(content, policy=default)
    assert isinstance(message, EmailMessage)
    return message


def plain(message: EmailMessage) -> str:
    """Return the plain text of a message."""
    part = message.get_body(("plain",))
    assert part is not None
    return str(part.get_content()).replace("\r\n", "\n")


def link_of(message: EmailMessage) -> str:
    """Return the link of a message."""
    (link,) = re.findall(rf"{ORIGIN}\S+", plain(message))
    return str(link)


def token_of(message: EmailMessage) -> str:
    """Return the token of a message's link."""
    return link_of(message).partition("#token=")[2]


def code_of(message: EmailMessage) -> str:
    """Return the short code of a message."""
    (code,) = re.findall(r"^([0-9A-Z]{4}-[0-9A-Z]{4})$", plain(message), re.M)
    return str(code)
