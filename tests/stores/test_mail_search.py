#!/usr/bin/env python3
"""Mails by state, user and order, one page at a time."""

from collections.abc import Callable
from datetime import timedelta
from itertools import product
from typing import Any

import pytest
from sqlalchemy import insert

from vestibule.core import clock
from vestibule.core.errors import InvalidValue
from vestibule.db import keyset, mail_search
from vestibule.db.engine import database
from vestibule.db.keyset import Cursor
from vestibule.db.mail_search import MAIL_SORTS, MailFilter
from vestibule.db.outgoing_mails import NOTHING, OutgoingMail
from vestibule.db.tables import OUTGOING_MAILS

STATES = ("failed", "queued", "sent")
#: What sorts a list, as text; users without an id come last.
KEYS: dict[str, Callable[[OutgoingMail], Any]] = {
    "created": lambda mail: (mail.created_at, mail.id),
    "to": lambda mail: (mail.address.lower(), mail.created_at, mail.id),
    "user": lambda mail: (mail.user_id or "", mail.created_at, mail.id),
    "state": lambda mail: (mail.state, mail.kind, mail.created_at, mail.id),
}

pytestmark = pytest.mark.usefixtures("any_database")


@pytest.fixture(autouse=True)
def _mails(any_database: str) -> None:
    """Store mails, some with equal values, and rows that send nothing."""
    now = clock.now()
    rows = [
        {
            "id": f"id-{number * 7 % 30:02}",
            "created_at": now - timedelta(seconds=number // 3),
            "kind": NOTHING if number % 10 == 9 else f"kind-{number % 2}",
            "user_id": f"user-{number % 4}" if number % 4 else None,
            "address": f"{'aBc'[number % 3]}@example.com",
            "address_key": f"{'abc'[number % 3]}@example.com",
            "state": STATES[number % 3],
            "due_at": now,
            "expires_at": now,
        }
        for number in range(30)
    ]
    with database().transaction() as connection:
        connection.execute(insert(OUTGOING_MAILS), rows)


def pages(wanted: MailFilter) -> list[OutgoingMail]:
    """Return the mails of all pages."""
    found: list[OutgoingMail] = []
    cursor: Cursor | None = None
    while True:
        page = mail_search.search_page(wanted, 4, cursor)
        found += page.mails
        cursor = page.next
        if cursor is None:
            return found


@pytest.mark.slow
@pytest.mark.parametrize("most_sorted", [keyset.MAX_ROWS_SORTED, 1])
def test_list_has_each_mail_once_in_its_order(
    monkeypatch: pytest.MonkeyPatch, most_sorted: int
) -> None:
    """Whether few match and are sorted, or an index leads."""
    monkeypatch.setattr(keyset, "MAX_ROWS_SORTED", most_sorted)
    for state, user_id, sort in product(
        (None, "sent"), (None, "user-1"), ("", *MAIL_SORTS)
    ):
        check_list(MailFilter(state, user_id, sort))


def check_list(wanted: MailFilter) -> None:
    """Compare the pages of a list with all mails, sorted here."""
    state, user_id, sort = wanted.state, wanted.user_id, wanted.sort
    column = (sort or "-created").removeprefix("-")
    expected = sorted(
        (
            mail
            for mail in mail_search.newest(99)
            if mail.state == (state or mail.state)
            and mail.user_id == (user_id or mail.user_id)
        ),
        key=KEYS[column],
        reverse=not sort or sort.startswith("-"),
    )
    if column == "user":
        expected.sort(key=lambda mail: mail.user_id is None)
    found = pages(wanted)
    assert found == expected, wanted
    assert all(mail.kind != NOTHING for mail in found)
    assert mail_search.count(wanted) == (len(found), True)
    first = mail_search.search_page(wanted, 4, None)
    if first.next is not None:
        second = mail_search.search_page(wanted, 4, first.next)
        assert second.previous is not None
        back = mail_search.search_page(wanted, 4, second.previous)
        assert back.mails == first.mails


def test_cursor_of_another_order_is_refused() -> None:
    """It has other columns, or no moment where one must be."""
    for sort, values in (
        ("to", ("2026-01-01T00:00:00+00:00", "id-1")),
        ("created", ("a@example.com", "id-1")),
        ("", ()),
        ("state", ("sent", None, "2026-01-01T00:00:00+00:00", "id-1")),
    ):
        with pytest.raises(InvalidValue):
            mail_search.search_page(
                MailFilter(sort=sort), 4, Cursor(tuple(values))
            )
