#!/usr/bin/env python3
"""The texts of mails, in each language, and the operator's own ones."""

import re
from datetime import UTC, datetime
from email.errors import MessageError
from email.message import EmailMessage
from html.parser import HTMLParser
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.mailbox import ORIGIN, SENDER, parsed, plain
from vestibule.accounts.credentials import check_email
from vestibule.checks.mail import check_mail_settings
from vestibule.core.errors import ConfigurationError
from vestibule.mail.messages import (
    EXAMPLES,
    MAX_MAIL_BYTES,
    MailText,
    message,
    render,
)
from vestibule.mail.notices import LANGUAGES, MailKind

SECRETS = {"link": f"{ORIGIN}/reset#token=s3cr3t", "code": "S3CR-3TXX"}
#: Attributes of HTML that load something, or run it.
LOADING = {"src", "srcset", "background", "data", "poster", "action"}


@pytest.fixture(autouse=True)
def settings(monkeypatch: pytest.MonkeyPatch) -> None:
    """Set what each mail needs."""
    for name, value in (
        ("MAIL_URL", "console:"),
        ("MAIL_FROM", SENDER),
        ("PUBLIC_URL", ORIGIN),
    ):
        monkeypatch.setenv(name, value)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the operator's folder of templates."""
    (tmp_path / "en").mkdir()
    monkeypatch.setenv("MAIL_TEMPLATES", str(tmp_path))
    return tmp_path


def mail(kind: MailKind, language: str) -> tuple[EmailMessage, int]:
    """Return a mail as a reader's program parses it, and its bytes."""
    text = render(kind, language, EXAMPLES | SECRETS)
    now = datetime.now(UTC)
    content = message("1", "bob@example.com", language, text, now).content
    return parsed(content), len(content)


class Reader(HTMLParser):
    """Collects the tags and attributes of a document."""

    def __init__(self) -> None:
        """Begin empty."""
        super().__init__()
        self.open: list[str] = []
        self.attributes: list[tuple[str, str | None]] = []

    def handle_starttag(
        self, tag: str, attrs: list[tuple[str, str | None]]
    ) -> None:
        """Remember a tag that is not empty, and its attributes."""
        assert tag not in ("script", "img", "iframe", "form", "object")
        self.attributes += attrs
        if tag not in ("meta", "br", "hr", "link"):
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        """Close the innermost tag, which it must be."""
        assert self.open.pop() == tag


def test_message_shows_no_secret_when_it_is_printed() -> None:
    """An error report may print it."""
    text = render(MailKind.RESET, "en", EXAMPLES | SECRETS)
    made = message("1", "bob@example.com", "en", text, datetime.now(UTC))
    assert SECRETS["code"] in made.plain
    assert not re.search("s3cr3?t?", repr(made), re.I)


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("kind", MailKind)
def test_mail_is_small_and_loads_nothing(
    kind: MailKind, language: str
) -> None:
    """Both parts parse, and neither subject nor headers have a secret."""
    made, size = mail(kind, language)
    assert size < MAX_MAIL_BYTES == 20_000
    assert made["Content-Language"] == language
    assert made["Auto-Submitted"] == "auto-generated"
    assert "s3cr3t" not in str(made["Subject"]).lower()
    assert "{" not in plain(made) and "None" not in plain(made)
    part = made.get_body(("html",))
    assert part is not None
    html, reader = str(part.get_content()), Reader()
    reader.feed(html)
    assert reader.open == []
    assert not LOADING & {name for name, _ in reader.attributes}
    links = {value for name, value in reader.attributes if name == "href"}
    assert links <= {SECRETS["link"]}
    assert not re.search(r"url\(|@import", html)
    assert f'lang="{language}"' in html


def test_languages_have_the_same_mails_with_other_texts() -> None:
    """An unknown language is English."""
    for kind in MailKind:
        english = render(kind, "en", EXAMPLES)
        assert render(kind, "fr", EXAMPLES).plain != english.plain
        assert render(kind, "tlh", EXAMPLES) == english


def test_own_template_replaces_one_file(folder: Path) -> None:
    """The others, and the other language, stay."""
    before = render(MailKind.RESET, "fr", EXAMPLES)
    (folder / "en/reset.txt").write_text(
        "Subject: Hello {{ brand }}\n\nGo to\n\n{{ link }}\n"
    )
    check_mail_settings()
    made = render(MailKind.RESET, "en", EXAMPLES | SECRETS)
    assert made.subject == "Hello Vestibule"
    assert made.plain == f"Go to\n\n{SECRETS['link']}\n"
    assert render(MailKind.RESET, "fr", EXAMPLES) == before


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("Subject: x\n\n{{ link", "unexpected end"),
        ("Subject: x\n\n{% if %}", "Expected an expression"),
        ("Subject: x\n\n{{ user.password }}", "'user' is undefined"),
        ("Subject: x\n\n{% include 'no.txt' %}", "no.txt"),
        ("Hello\n\n{{ link }}", "first line must be Subject:"),
        ("Subject:\n\n{{ link }}", "first line must be Subject:"),
        ("Subject: x\n\n" + "long " * 4000, "longer than 20000 bytes"),
    ],
)
def test_faulty_template_refuses_the_start(
    folder: Path, text: str, told: str
) -> None:
    """The error names the setting and the file."""
    (folder / "en/reset.txt").write_text(text)
    with pytest.raises(ConfigurationError, match="MAIL_TEMPLATES") as caught:
        check_mail_settings()
    assert "en/reset.txt" in str(caught.value) and told in str(caught.value)


def test_folder_of_templates_must_exist(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A typing error would otherwise leave the texts as they are."""
    monkeypatch.setenv("MAIL_TEMPLATES", "/no/such/folder")
    with pytest.raises(ConfigurationError, match="MAIL_TEMPLATES"):
        check_mail_settings()


def test_values_break_neither_subject_nor_html() -> None:
    """Line breaks, markup and long values of clients stay text."""
    evil = 'x\r\nBcc: eve@example.com\n\n<img src="//e">' + "y" * 5000
    values = EXAMPLES | {"device": evil, "ip": evil}
    text = render(MailKind.NEW_DEVICE, "en", values)
    made = parsed(
        message("1", "bob@example.com", "en", text, datetime.now(UTC)).content
    )
    assert made["Bcc"] is None and "<img" not in text.html
    assert len(made.as_bytes()) < MAX_MAIL_BYTES


#: Texts of any characters; a line break of a mail is CR LF.
TEXTS = st.text(
    st.characters(exclude_categories=["Cs"], exclude_characters="\r"),
    max_size=300,
)
SUBJECTS = TEXTS.map(lambda text: " ".join(text.split())).filter(
    lambda text: text.isprintable() and text.strip()
)


@pytest.mark.slow
@given(subject=SUBJECTS, plain_text=TEXTS, html=TEXTS)
def test_any_text_arrives_as_it_was_written(
    subject: str, plain_text: str, html: str
) -> None:
    """Lines are short ASCII, and no text ends its part (RFC 5322, 2.1.1)."""
    text = MailText(subject, plain_text + "\n", html + "\n")
    made = message("1", "bob@example.com", "en", text, datetime.now(UTC))
    lines = made.content.split(b"\r\n")
    assert max(map(len, lines)) <= 78
    assert not re.search(rb"[\r\n\x80-\xff]", b"".join(lines))
    read = parsed(made.content)
    assert read.defects == [] and read["Subject"] == subject
    parts = [part.get_content() for part in read.iter_parts()]
    assert [part.replace("\r\n", "\n") for part in parts] == list(text[1:])


@pytest.mark.parametrize(
    "address",
    [
        "bob@example.com",
        "a.b+c_d@sub.example.co.uk",
        "o'hara=x{y}@localhost",
        f"{'l' * 64}@{'d' * 60}.{'e' * 60}.{'f' * 58}.example",
        "b\u00f6b@example.com",
        "bob@b\u00fccher.example",
    ],
)
def test_recipient_is_read_as_it_is_stored(address: str) -> None:
    """Any email that a user can have is the only address of the header."""
    check_email(address)
    text = MailText("x", "x\n", "x\n")
    made = message("1", address, "en", text, datetime.now(UTC))
    header = parsed(made.content)["To"]
    assert len(header.addresses) == 1
    assert (str(header), made.recipient) == (address, address)


@pytest.mark.parametrize(
    "address",
    [
        "bob",
        "bob@",
        "@example.com",
        "bob@example.com\r\nBcc: eve@example.com",
        "bob@example.com\n",
        "bob@example.com, eve@example.com",
        "bob@example.com eve@example.com",
    ],
)
def test_mail_to_no_address_cannot_be_made(address: str) -> None:
    """No header or further recipient comes from a stored text."""
    text = MailText("x", "x\n", "x\n")
    with pytest.raises((ValueError, IndexError, MessageError)):
        message("1", address, "en", text, datetime.now(UTC))
