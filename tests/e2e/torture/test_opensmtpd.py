#!/usr/bin/env python3
"""A second real mail server: Debian's OpenSMTPD, without TLS.

It runs as root alone, in the foreground, and keeps its queue in
`/var/spool/smtpd`. So it is no part of `make check`, and is skipped for
other users and while another OpenSMTPD runs. Debian's build of it ends each
TLS handshake with an internal error, so `tests/mail_server.py` tests TLS.
"""

import os
import shutil
import subprocess
from collections.abc import Iterator
from datetime import timedelta
from email.message import EmailMessage
from pathlib import Path

import pytest

from tests.backends import missing
from tests.e2e.forward_auth.proxies import is_open
from tests.e2e.server.waiting import wait_until
from tests.mailbox import ORIGIN, SENDER, link_of, parsed, plain
from tests.ports import free_port
from vestibule.db import outgoing_mails
from vestibule.db.models.user import User
from vestibule.db.outgoing_mails import NewMail
from vestibule.mail.notices import MailKind
from vestibule.mail.outbox import send_due

pytestmark = pytest.mark.torture
#: All recipients have their mail in one folder.
CONFIGURATION = """\
table everyone {{ "@" = "nobody" }}
listen on 127.0.0.1 port {port} hostname mail.example.com
action "kept" maildir "{folder}/mails" virtual <everyone>
match from any for any action "kept"
"""


@pytest.fixture
def mails(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, on_sqlite: str
) -> Iterator[Path]:
    """Run OpenSMTPD, set it as the mail server; yield its folder of mails."""
    if not shutil.which("smtpd") or not shutil.which("smtpctl"):
        missing("OpenSMTPD")
    if os.geteuid() != 0 or is_running():
        pytest.skip("OpenSMTPD needs root, and runs once on a machine")
    folder = tmp_path / "mails"
    folder.mkdir()
    shutil.chown(folder, "nobody")
    for parent in (folder, *folder.parents[:-2]):
        parent.chmod(parent.stat().st_mode | 0o011)
    port = free_port()
    file = tmp_path / "smtpd.conf"
    file.write_text(CONFIGURATION.format(folder=tmp_path, port=port))
    with (tmp_path / "log").open("w") as log:
        server = subprocess.Popen(
            ["smtpd", "-d", "-f", str(file)], stdout=log, stderr=log
        )
        try:
            wait_until(30, lambda: is_open(port))
            monkeypatch.setenv("MAIL_FROM", SENDER)
            monkeypatch.setenv("PUBLIC_URL", ORIGIN)
            monkeypatch.setenv("MAIL_URL", f"smtp://127.0.0.1:{port}")
            yield folder
        finally:
            server.terminate()
            server.wait(30)


def is_running() -> bool:
    """Return True if an OpenSMTPD of this machine runs."""
    asked = subprocess.run(
        ["smtpctl", "show", "status"], capture_output=True, timeout=30
    )
    return asked.returncode == 0


def received(folder: Path, number: int) -> list[EmailMessage]:
    """Wait for so many mails; return them in the order of recipients."""
    wait_until(60, lambda: len(list(folder.glob("new/*"))) == number)
    found = [parsed(file.read_bytes()) for file in folder.glob("new/*")]
    return sorted(found, key=lambda mail: str(mail["To"]))


def test_mails_arrive_by_opensmtpd(mails: Path) -> None:
    """Each arrives once and whole, in the language of its recipient."""
    for number, language in enumerate(("en", "fr")):
        user = User(email=f"{number}@example.com", language=language)
        user.save()
        outgoing_mails.add(
            [
                NewMail(
                    MailKind.RESET,
                    f"{number}@example.com",
                    timedelta(hours=1),
                    user_id=user.id,
                    language=language,
                )
            ]
        )
    while send_due():
        pass
    english, french = received(mails, 2)
    assert "password" in plain(english)
    assert "mot de passe" in plain(french)
    for mail in (english, french):
        assert link_of(mail).startswith(f"{ORIGIN}/")
        assert mail["Auto-Submitted"] == "auto-generated"
        assert mail.get_body(("html",)) is not None
