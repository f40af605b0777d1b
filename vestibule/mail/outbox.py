#!/usr/bin/env python3
"""Send the queued mails: lease them, make their secrets, deliver them.

A link's token is made when its mail is handed to the server, and only its
digest is stored: neither the queue nor a dump of the database opens
anything. Another attempt makes another token; each one works until the
mail's content expires or one of them is used.
"""

import logging
import os
import secrets
import threading
import uuid
from collections.abc import Mapping, Sequence
from datetime import timedelta
from multiprocessing.util import Finalize
from typing import Any, NamedTuple

from vestibule.core import clock, mail_settings, page_settings, settings
from vestibule.core.crypto import (
    GROUP_LENGTH,
    digest_of,
    digest_of_code,
    new_code,
)
from vestibule.core.errors import VestibuleError
from vestibule.core.mail_settings import MailServer
from vestibule.core.threads import Once, start_thread
from vestibule.db import mail_tokens, outgoing_mails
from vestibule.db.mail_tokens import MailToken, TypedCode
from vestibule.db.outgoing_mails import NOTHING, NewMail, OutgoingMail
from vestibule.mail.notices import NOTICE_PAGES, MailKind
from vestibule.mail.transport import (
    Deliver,
    DeliveryError,
    Message,
    check_server,
    configured_server,
    open_transport,
)

_log = logging.getLogger(__name__)

#: Mails that are leased at once, and sent over one connection. Those for
#: which the time of a lease is too short go back into the queue.
MAX_LEASED_MAILS = 100
#: Mails that are made at once, before the first of them is sent.
MAX_PREPARED_MAILS = 20
#: Seconds after which mails that were sent are recorded, at the next one.
#: Each record is a commit, which waits for the disk.
MAX_UNRECORDED_SECONDS = 0.2
#: Seconds between two looks at the queue, for mails of other processes.
POLL_SECONDS = 5.0
#: Seconds between a mail that was queued in this process and a look at the
#: queue. If the mail were made beside the response, the response to a known
#: address would take longer than that to an unknown one.
PAUSE_SECONDS = 0.3
#: Seconds that the end of the process waits for the mail in progress.
CLOSE_TIMEOUT_SECONDS = 10.0
#: Seconds of a lease after which no further mail of it is begun.
LEASE_USE_SECONDS = 15.0
#: How long the typed code of a mail works (ASVS 5.0, 6.6.2).
CODE_LIFETIME = timedelta(minutes=10)
_CODE_GROUPS = 2
#: Bytes of a link's token: 256 random bits.
TOKEN_BYTES = 32

#: The pages that the links of these mails open.
TOKEN_PAGES = {
    MailKind.CONFIRM: "/confirm",
    MailKind.CHANGE: "/confirm",
    MailKind.EMAIL_CHANGED: "/undo",
    MailKind.RESET: "/reset",
    MailKind.INVITATION: "/reset",
}
#: What stands before the token in a link's fragment.
_TOKEN_MARK = "token="


class PreparedMail(NamedTuple):
    """A row of the queue and its message, whose secrets are stored."""

    mail: OutgoingMail
    message: Message


def is_mail_code(typed: str) -> bool:
    """Return True if `typed` has the length of a mail's short code.

    The codes of admins are longer.
    """
    letters = sum(each.isalnum() for each in typed)
    return letters == _CODE_GROUPS * GROUP_LENGTH


def has_token(text: str) -> bool:
    """Return True if `text` is a mail's link, or its part with the token."""
    return _TOKEN_MARK in text


def token_in(text: str) -> str:
    """Return the token of a link that was pasted as a whole, or `text`."""
    return text.rpartition(_TOKEN_MARK)[2].strip()


def page_address(page: str) -> str:
    """Return the public address of a page."""
    public = (page_settings.PUBLIC_URL.read() or "").rstrip("/")
    base = settings.BASE_PATH.read()
    return f"{public.removesuffix(base)}{base}{page}"


def send_due(most: int = MAX_LEASED_MAILS) -> int:
    """Send mails that are due; return how many were tried.

    Raise `ConfigurationError` if no mail can be sent at all.
    """
    server = configured_server()
    if server is None:
        return 0
    left = mail_settings.MAIL_PER_HOUR.read() - (
        outgoing_mails.count_sent_since(clock.now() - timedelta(hours=1))
    )
    mails = outgoing_mails.lease(min(most, max(left, 0))) if left > 0 else []
    outgoing_mails.mark_sent(
        [mail.id for mail in mails if mail.kind == NOTHING]
    )
    _send_all(server, [mail for mail in mails if mail.kind != NOTHING])
    return len(mails)


def send_now(server: MailServer, mail: NewMail) -> None:
    """Send one mail without the queue; raise `DeliveryError`.

    It must be of a kind without secrets, such as a test.
    """
    from vestibule.mail import messages

    kind = MailKind(mail.kind)
    text = messages.render(kind, mail.language, mail.detail)
    message = messages.message(
        str(uuid.uuid4()), mail.address, mail.language, text, clock.now()
    )
    with open_transport(server) as deliver:
        deliver(message)


def _send_all(server: MailServer, mails: Sequence[OutgoingMail]) -> None:
    """Deliver the mails over one connection."""
    if not mails:
        return
    give_up = clock.monotonic() + LEASE_USE_SECONDS
    waiting = list(mails)
    try:
        with open_transport(server) as deliver:
            is_usable = True
            while is_usable and waiting and clock.monotonic() < give_up:
                ready = _prepare(waiting[:MAX_PREPARED_MAILS])
                del waiting[:MAX_PREPARED_MAILS]
                left, is_usable = _deliver_all(deliver, ready, give_up)
                waiting[:0] = [each.mail for each in left]
    except DeliveryError as error:
        _log.warning("no mail was sent to %s: %s", server.label, error)
        outgoing_mails.mark_failed(waiting, str(error))
        return
    if waiting:
        outgoing_mails.release(waiting)


def _prepare(mails: Sequence[OutgoingMail]) -> list[PreparedMail]:
    """Return the messages of mails; store their secrets in one transaction.

    One faulty mail does not stop the others.
    """
    # Jinja and Babel are loaded by the first mail, not at the start.
    from vestibule.mail import messages

    ready: list[PreparedMail] = []
    tokens: list[MailToken] = []
    for mail in mails:
        try:
            kind = MailKind(mail.kind)
            values, token = _values(kind, mail)
            text = messages.render(kind, mail.language, values)
            message = messages.message(
                mail.id, mail.address, mail.language, text, clock.now()
            )
        except VestibuleError as error:
            _log.error("mail %s cannot be sent: %s", mail.id, error)
            outgoing_mails.mark_failed([mail], str(error))
        except Exception:
            _log.exception("mail %s cannot be made", mail.id)
            outgoing_mails.mark_failed([mail], "it cannot be made", True)
        else:
            ready.append(PreparedMail(mail, message))
            tokens += [] if token is None else [token]
    mail_tokens.add(tokens)
    return ready


def _deliver_all(
    deliver: Deliver, ready: Sequence[PreparedMail], give_up: float
) -> tuple[Sequence[PreparedMail], bool]:
    """Deliver mails until the time `give_up`, or the connection is unusable.

    Return those that were not tried, and False if it is unusable. Several
    mails are recorded as sent in one transaction; a crash before it sends
    them again.
    """
    sent: list[str] = []
    record_at = clock.monotonic() + MAX_UNRECORDED_SECONDS
    try:
        for number, (mail, message) in enumerate(ready):
            if number and clock.monotonic() >= give_up:
                return ready[number:], True
            if mail.expires_at <= clock.now():
                # It waited for others of its lease, to a slow server.
                outgoing_mails.mark_failed([mail], "expired", True)
                continue
            try:
                deliver(message)
            except DeliveryError as error:
                _record_refusal(mail, error)
                if not error.is_usable:
                    rest = number + 1
                    return ready[rest:], False
            else:
                _log.info("mail %s (%s) was sent", mail.id, mail.kind)
                sent.append(mail.id)
            if clock.monotonic() >= record_at:
                outgoing_mails.mark_sent(sent)
                sent.clear()
                record_at = clock.monotonic() + MAX_UNRECORDED_SECONDS
    finally:
        outgoing_mails.mark_sent(sent)
    return (), True


def _record_refusal(mail: OutgoingMail, error: DeliveryError) -> None:
    """Record that a mail was not sent, and why."""
    outgoing_mails.mark_failed([mail], str(error), error.permanent)
    _log.warning("mail %s (%s) was not sent: %s", mail.id, mail.kind, error)


def _values(
    kind: MailKind, mail: OutgoingMail
) -> tuple[Mapping[str, Any], MailToken | None]:
    """Return what the text of a mail needs, and the token to store.

    The secrets of a link and a code are made here.
    """
    from vestibule.mail.messages import local_time

    values: dict[str, Any] = {
        "device": None,
        "ip": None,
        "time": local_time(mail.created_at, mail.language),
        "expires": local_time(mail.expires_at, mail.language),
        **mail.detail,
    }
    if kind in NOTICE_PAGES:
        values["link"] = page_address(NOTICE_PAGES[kind])
    page = TOKEN_PAGES.get(kind)
    if page is None or mail.user_id is None:
        return values, None
    token = secrets.token_urlsafe(TOKEN_BYTES)
    code: TypedCode | None = None
    if kind is MailKind.RESET:
        browser = mail.detail.get("browser")
        values["code"] = typed = new_code(_CODE_GROUPS) if browser else ""
        values["code_minutes"] = CODE_LIFETIME.seconds // 60
        if browser:
            expires = min(clock.now() + CODE_LIFETIME, mail.expires_at)
            code = TypedCode(digest_of_code(typed), expires, str(browser))
    stored = MailToken(
        digest_of(token),
        kind,
        mail.user_id,
        str(mail.detail.get("new_address", mail.address)),
        mail.expires_at,
        code,
    )
    # Behind "#", where neither a server nor its log sees it.
    values["link"] = f"{page_address(page)}#{_TOKEN_MARK}{token}"
    return values, stored


class MailSender:
    """A daemon thread of this process that sends queued mails."""

    def __init__(self) -> None:
        """Prepare to start the thread at the first use."""
        self._starting = threading.Lock()
        self._due = threading.Event()
        self._closed = threading.Event()
        self._thread: threading.Thread | None = None

    def ensure_running(self) -> bool:
        """Start the thread, unless it runs or no mail is sent.

        Return False if it could not be started.
        """
        if self._thread is not None or mail_settings.MAIL_URL.read() is None:
            return True
        with self._starting:
            if self._thread is None:
                self._thread = start_thread("mail", self._run)
                if self._thread is not None:
                    Finalize(None, self.close, exitpriority=0)
        return self._thread is not None

    def notify(self) -> None:
        """Look at the queue soon."""
        self._due.set()

    def close(self) -> None:
        """End the thread; what is queued stays queued."""
        self._closed.set()
        self._due.set()
        if self._thread is not None:
            self._thread.join(timeout=CLOSE_TIMEOUT_SECONDS)

    def _run(self) -> None:
        """Send what is due, again and again, until closed.

        A server that cannot be used is logged at once, not at the first
        mail.
        """
        try:
            server = configured_server()
            if server is not None:
                check_server(server)
        except (DeliveryError, VestibuleError) as error:
            _log.warning("no mail can be sent: %s; see MAIL_URL", error)
        while not self._closed.is_set():
            if self._due.wait(POLL_SECONDS):
                self._closed.wait(PAUSE_SECONDS)
            self._due.clear()
            try:
                while not self._closed.is_set() and send_due():
                    pass
            except VestibuleError as error:
                _log.warning("no mail can be sent now: %s", error)
            except Exception:
                # The thread must survive it.
                _log.exception("no mail can be sent now")


@Once
def mail_sender() -> MailSender:
    """Return the sender of this process."""
    return MailSender()


# A child has no thread.
os.register_at_fork(after_in_child=mail_sender.cache_clear)
