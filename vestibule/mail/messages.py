#!/usr/bin/env python3
"""The texts of mails: templates in each language, plain text and HTML.

A template is a text file: a subject, and paragraphs between empty lines. The
HTML part is made of the same paragraphs and loads nothing. The files of the
folder `MAIL_TEMPLATES` replace those of the package one by one; the start
renders each of them, so a faulty one is found there.
"""

import re
from collections.abc import Mapping
from datetime import datetime
from email.headerregistry import Address, BaseHeader, HeaderRegistry
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
from vestibule.mail.transport import public_host

_FOLDER = Path(__file__).parent / "templates"
#: Bytes of a mail, both parts included; the start refuses templates of
#: longer ones.
MAX_MAIL_BYTES = 20_000
#: Characters of a value that is put into a template.
MAX_VALUE_LENGTH = 400


class _Headers(HeaderRegistry):
    """Parses a header that mails have in common once: headers are immutable.

    Parsing would take half of the time in which a mail is made.
    """

    def __init__(self) -> None:
        """Remember some headers."""
        super().__init__()
        self._parse = lru_cache(maxsize=128)(super().__call__)

    def __call__(self, name: str, value: Any) -> BaseHeader:
        """Return the header; `value` is a text or an address."""
        if isinstance(value, str):
            return self._parse(name, value)
        return super().__call__(name, value)


_POLICY = SMTP.clone(header_factory=_Headers())


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
            if len(made.as_bytes()) >= MAX_MAIL_BYTES:
                raise ConfigurationError(
                    "MAIL_TEMPLATES",
                    f"{language}/{kind}.txt: the mail is longer than"
                    f" {MAX_MAIL_BYTES} bytes",
                )


def message(
    id: str, to: str, language: str | None, text: MailText, now: datetime
) -> EmailMessage:
    """Return the message of the mail with this id.

    Its Message-ID is the same at each attempt, so that a mail server can
    drop a duplicate. Automatic answers to it are discouraged (RFC 3834).
    """
    sender = mail_settings.MAIL_FROM.read()
    if sender is None:
        raise ConfigurationError("MAIL_FROM", "must be set for MAIL_URL")
    result = EmailMessage(policy=_POLICY)
    result["From"] = sender
    result["To"] = Address(addr_spec=to)
    result["Subject"] = text.subject
    result["Date"] = format_datetime(now)
    result["Message-ID"] = f"<{id}@{public_host()}>"
    result["Auto-Submitted"] = "auto-generated"
    result.set_content(text.plain)
    result.add_alternative(text.html, subtype="html")
    result["Content-Language"] = (
        language if language in LANGUAGES else LANGUAGES[0]
    )
    return result


def local_time(moment: datetime, language: str | None) -> str:
    """Return a date and time in UTC, as the language writes it."""
    chosen = language if language in LANGUAGES else LANGUAGES[0]
    written = format_local(
        moment, "d MMMM yyyy, HH:mm", locale=Locale.parse(chosen)
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
