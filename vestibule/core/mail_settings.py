#!/usr/bin/env python3
"""The settings of mail: the server, the sender, limits and templates."""

import os.path
import re
from dataclasses import dataclass, field
from email.headerregistry import Address
from email.utils import parseaddr
from functools import lru_cache
from ipaddress import ip_address
from pathlib import Path
from urllib.parse import SplitResult, unquote, urlsplit

from vestibule.core import setting_types
from vestibule.core.setting_types import Setting

#: Ports of submission (RFC 6409, and RFC 8314 for TLS from the start).
SUBMISSION_PORT, SUBMISSIONS_PORT = 587, 465
_ADDRESS = re.compile(r"[!-?A-~]+@[!-?A-~]+")
_FORMS = (
    "must be smtps://USER:PASSWORD@HOST, smtp://USER:PASSWORD@HOST,"
    " file:///FOLDER or console:"
)


@dataclass(frozen=True)
class MailServer:
    """Where mails go: an SMTP server, a folder, or standard error."""

    #: `smtps`, `smtp`, `file` or `console`.
    kind: str
    host: str = ""
    port: int = 0
    user: str = field(default="", repr=False)
    password: str = field(default="", repr=False)
    folder: Path = Path()

    @property
    def needs_starttls(self) -> bool:
        """Return True if the connection must be upgraded to TLS (RFC 3207).

        Only a server on this machine may be asked without TLS.
        """
        return self.kind == "smtp" and not _is_loopback(self.host)

    @property
    def label(self) -> str:
        """Return what names the server in messages, without a password."""
        if self.kind in ("smtp", "smtps"):
            return f"{self.kind}://{self.host}:{self.port}"
        return f"file://{self.folder}" if self.kind == "file" else "console:"


def _is_loopback(host: str) -> bool:
    """Return True if `host` is this machine."""
    try:
        return ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return host == "localhost" or host.endswith(".localhost")


@lru_cache(maxsize=8)
def mail_server(text: str | None) -> MailServer | None:
    """Return the server of `MAIL_URL`, or `None` if it is unset.

    The error never shows the text, which may have a password.
    """
    if not text:
        return None
    if text in ("console", "console:"):
        return MailServer("console")
    try:
        url = urlsplit(text)
        port = url.port
    except ValueError:
        raise ValueError(_FORMS) from None
    if url.scheme == "file":
        return _folder(url)
    if url.scheme not in ("smtp", "smtps") or not url.hostname:
        raise ValueError(_FORMS)
    if url.path not in ("", "/") or url.query or url.fragment:
        raise ValueError("must not have a path or a query")
    if (url.username is None) != (url.password is None):
        raise ValueError("must have both a user and a password, or none")
    usual = SUBMISSIONS_PORT if url.scheme == "smtps" else SUBMISSION_PORT
    return MailServer(
        url.scheme,
        url.hostname,
        port or usual,
        unquote(url.username or ""),
        unquote(url.password or ""),
    )


def _folder(url: SplitResult) -> MailServer:
    """Return the folder of a `file:` URL."""
    path = Path(unquote(url.path))
    if url.netloc not in ("", "localhost") or not path.is_absolute():
        raise ValueError("must be file:///FOLDER with an absolute path")
    return MailServer("file", folder=path)


@lru_cache(maxsize=8)
def mail_sender(text: str | None) -> Address | None:
    """Return the sender of `MAIL_FROM`, or `None` if it is unset."""
    if not text:
        return None
    name, address = parseaddr(text)
    if not _ADDRESS.fullmatch(address) or not text.isprintable():
        raise ValueError(
            "must be an address such as Example <no-reply@example.com>, not"
            f" {text!r}"
        )
    try:
        return Address(display_name=name, addr_spec=address)
    except (ValueError, IndexError):
        raise ValueError(f"must be an address, not {text!r}") from None


def template_folder(text: str | None) -> str | None:
    """Return the folder of `MAIL_TEMPLATES`, or `None` if it is unset."""
    # `Path.is_dir` raises an error for a name that is too long.
    if text and not os.path.isdir(text):
        raise ValueError(f"must be a folder that exists, not {text!r}")
    return text or None


MAIL_URL = Setting(
    "MAIL_URL",
    None,
    mail_server,
    "Where mails are sent: `smtps://USER:PASSWORD@HOST` (port 465),"
    " `smtp://USER:PASSWORD@HOST` (port 587 with STARTTLS, which only a"
    " server on this machine may lack), `file:///FOLDER` (a file for each"
    " mail) or `console:`. Unset: no mail is sent.",
)
MAIL_FROM = Setting(
    "MAIL_FROM",
    None,
    mail_sender,
    "Sender of the mails, such as `Example <no-reply@example.com>`;"
    " `MAIL_URL` needs it.",
)
MAIL_PER_HOUR = Setting(
    "MAIL_PER_HOUR",
    "1000",
    setting_types.integer_between(1, 1_000_000),
    "Mails that all machines together send in an hour; more wait.",
)
REQUIRE_CONFIRMED_EMAIL = Setting(
    "REQUIRE_CONFIRMED_EMAIL",
    "off",
    setting_types.on_or_off,
    "With `on`, users sign in only after they confirmed their email by a"
    " mail; admins are exempt. It needs `MAIL_URL`.",
)
MAIL_TEMPLATES = Setting(
    "MAIL_TEMPLATES",
    None,
    template_folder,
    "Folder whose files replace those of the mails, such as"
    " `en/reset.txt`. Unset: none is replaced.",
)
