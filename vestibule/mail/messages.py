#!/usr/bin/env python3
"""The texts of mails: templates in each language, plain text and HTML.

A template is a text file: a subject, and paragraphs between empty lines. The
HTML part is made of the same paragraphs and loads nothing. The files of the
folder `MAIL_TEMPLATES` replace those of the package one by one; the start
renders each of them, so a faulty one is found there.
"""

import base64
import binascii
import re
from collections.abc import Mapping
from datetime import datetime
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime
from functools import cache, lru_cache
from pathlib import Path
from typing import Any, NamedTuple

from babel import Locale
from babel.dates import format_datetime as format_local
from jinja2 import (
    ChoiceLoader,
    Environment,
    FileSystemLoader,
    StrictUndefined,
    TemplateError,
)

from vestibule.core import clock, mail_settings, page_settings
from vestibule.core.errors import ConfigurationError
from vestibule.mail.notices import LANGUAGES, MailKind
from vestibule.mail.transport import Message, public_host

_FOLDER = Path(__file__).parent / "templates"
#: Bytes of a mail, both parts included; the start refuses templates of
#: longer ones.
MAX_MAIL_BYTES = 20_000
#: Characters of a value that is put into a template.
MAX_VALUE_LENGTH = 400


#: Separates the parts. Neither quoted-printable nor base64 can contain "=_"
#: (RFC 2045, 6.7).
_BOUNDARY = "=_vestibule"
#: A text is written in base64 if quoted-printable is so much longer than it:
#: base64 always takes a third more.
_MAX_QUOTED_GROWTH = 1.4
_ATOM = r'[^\s"(),.:;<>@\[\]\\]+'
#: An address without quotes (RFC 5322, 3.4.1; RFC 6532 for non-ASCII ones).
_PLAIN_ADDRESS = re.compile(
    rf"(?=.{{3,254}}\Z){_ATOM}(?:\.{_ATOM})*@{_ATOM}(?:\.{_ATOM})*"
)


class MailText(NamedTuple):
    """A rendered mail: its subject and its two parts."""

    subject: str
    plain: str
    html: str


#: A value for each name that a template may use.
EXAMPLES = {
    "link": "https://auth.example.com/page#token",
    "code": "ABCD-EFGH",
    "code_minutes": 10,
    "expires": "1 January 2030",
    "time": "1 January 2030",
    "device": "Firefox",
    "ip": "192.0.2.1",
    "role": "admin",
    "count": 5,
}


def render(
    kind: MailKind, language: str | None, values: Mapping[str, Any]
) -> MailText:
    """Return the mail of a kind in a language.

    `values` has `link`, `code` and what else the template uses. Raise
    `ConfigurationError` for a faulty template in `MAIL_TEMPLATES`.
    """
    chosen = language if language in LANGUAGES else LANGUAGES[0]
    brand = page_settings.BRAND_NAME.read()
    environment = _environment(mail_settings.MAIL_TEMPLATES.read())
    known = {name: _on_one_line(value) for name, value in values.items()}
    try:
        text = environment.get_template(f"{chosen}/{kind}.txt").render(
            brand=brand, **known
        )
        head, _, body = text.partition("\n\n")
        subject = _on_one_line(head.removeprefix("Subject:"))
        if not head.startswith("Subject:") or not subject:
            raise ValueError("the first line must be Subject: and a text")
        html = environment.get_template("layout.html").render(
            brand=brand,
            language=chosen,
            subject=subject,
            paragraphs=[
                (_kind_of(paragraph, known), paragraph)
                for paragraph in re.split(r"\n{2,}", body.strip())
            ],
        )
    except (TemplateError, OSError, ValueError) as error:
        raise ConfigurationError(
            "MAIL_TEMPLATES", f"{chosen}/{kind}.txt: {error}"
        ) from None
    plain = re.sub(r"\n{3,}", "\n\n", body.strip())
    return MailText(subject, plain + "\n", html)


def check_templates() -> None:
    """Make each mail once; raise `ConfigurationError` for a faulty one."""
    now = clock.now()
    for language in LANGUAGES:
        for kind in MailKind:
            text = render(kind, language, EXAMPLES)
            made = message("id", "bob@example.com", language, text, now)
            if len(made.content) >= MAX_MAIL_BYTES:
                raise ConfigurationError(
                    "MAIL_TEMPLATES",
                    f"{language}/{kind}.txt: the mail is longer than"
                    f" {MAX_MAIL_BYTES} bytes",
                )


def message(
    id: str, to: str, language: str | None, text: MailText, now: datetime
) -> Message:
    """Return the message of the mail with this id.

    Its Message-ID is the same at each attempt, so that a mail server can
    drop a duplicate. An invalid address is an error of `email`. The classes
    of `email` make only what mails share: they take ten times as long as
    the rest.
    """
    sender = mail_settings.MAIL_FROM.read()
    if sender is None:
        raise ConfigurationError("MAIL_FROM", "must be set for MAIL_URL")
    content = (
        _shared_headers(
            str(sender),
            text.subject,
            language if language in LANGUAGES else LANGUAGES[0],
        ),
        _recipient_header(to),
        f"Date: {format_datetime(now)}\r\n".encode(),
        f"Message-ID: <{id}@{public_host()}>\r\n".encode(),
        _part("plain", text.plain),
        _part("html", text.html),
        f"\r\n--{_BOUNDARY}--\r\n".encode(),
    )
    return Message(
        id, sender.addr_spec, to, text.subject, text.plain, b"".join(content)
    )


@lru_cache(maxsize=128)
def _shared_headers(sender: str, subject: str, language: str) -> bytes:
    """Return the headers that mails have in common.

    Automatic answers are discouraged (RFC 3834).
    """
    made = EmailMessage(policy=SMTP)
    made["From"] = sender
    made["Subject"] = subject
    made["Auto-Submitted"] = "auto-generated"
    made["Content-Language"] = language
    made["MIME-Version"] = "1.0"
    made["Content-Type"] = f'multipart/alternative; boundary="{_BOUNDARY}"'
    return b"".join(SMTP.fold_binary(*header) for header in made.items())


def _recipient_header(to: str) -> bytes:
    """Return the header with the recipient; raise an error for an invalid one.

    A non-ASCII one is UTF-8, which only a server with SMTPUTF8 is given.
    """
    if not (_PLAIN_ADDRESS.fullmatch(to) and to.isprintable()):
        Address(addr_spec=to)
    return f"To: {to}\r\n".encode()


def _part(subtype: str, text: str) -> bytes:
    """Return a part of a message, with the boundary before it."""
    content = re.sub(r"\r\n?|\n", "\r\n", text).encode()
    encoding, encoded = "quoted-printable", binascii.b2a_qp(content)
    if len(encoded) > _MAX_QUOTED_GROWTH * len(content):
        encoding = "base64"
        encoded = base64.encodebytes(content).replace(b"\n", b"\r\n")
    return (
        f"\r\n--{_BOUNDARY}\r\n"
        f'Content-Type: text/{subtype}; charset="utf-8"\r\n'
        f"Content-Transfer-Encoding: {encoding}\r\n\r\n"
    ).encode() + encoded


def local_time(moment: datetime, language: str | None) -> str:
    """Return a date and time in UTC, as the language writes it."""
    chosen = language if language in LANGUAGES else LANGUAGES[0]
    return _local_minute(moment.replace(second=0, microsecond=0), chosen)


@lru_cache(maxsize=128)
def _local_minute(minute: datetime, language: str) -> str:
    """Return a minute as the language writes it; most mails share it."""
    written = format_local(
        minute, "d MMMM yyyy, HH:mm", locale=Locale.parse(language)
    )
    return f"{written} UTC"


def _on_one_line(value: Any) -> Any:
    """Return text without line breaks and not too long; others as is."""
    if not isinstance(value, str):
        return value
    return " ".join(value.split())[:MAX_VALUE_LENGTH]


def _kind_of(paragraph: str, values: Mapping[str, Any]) -> str:
    """Return `link`, `code` or `text`: how a paragraph is shown."""
    for kind in ("link", "code"):
        if values.get(kind) is not None and paragraph == values[kind]:
            return kind
    return "text"


@cache
def _environment(folder: str | None) -> Environment:
    """Return the templates, those in `folder` first."""
    folders = [str(_FOLDER)] if folder is None else [folder, str(_FOLDER)]
    return Environment(
        loader=ChoiceLoader([FileSystemLoader(each) for each in folders]),
        undefined=StrictUndefined,
        autoescape=lambda name: str(name).endswith(".html"),
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
