#!/usr/bin/env python3
"""Users by search and filter: each once, in order, page by page."""

from datetime import datetime, timedelta, timezone

import pytest
from sqlalchemy import text

from vestibule.core.errors import InvalidValue
from vestibule.db import user_search
from vestibule.db.engine import database
from vestibule.db.models.user import Role, User
from vestibule.db.user_search import Cursor, UserFilter, search_page

NOON = datetime(2026, 3, 29, 12, tzinfo=timezone.utc)
PEOPLE = [
    ("ada@example.com", "Ada", "Lovelace"),
    ("mary@example.com", "Mary Jane", "Adams"),
    ("u2@example.com", "Ada", None),
    ("ADAM@example.com", None, "Ada"),
    ("u4@example.com", "\u200fÉmile", "Straße"),
    ("100%_'sure'@example.com", "x" * 500, "y"),
    ("u6@example.com", None, None),
]

pytestmark = pytest.mark.usefixtures("any_database")


def settle() -> list[User]:
    """Store some people, one each minute; return them."""
    users = []
    for number, (email, first, last) in enumerate(PEOPLE):
        user = User(
            email=email,
            first_name=first,
            last_name=last,
            created_at=NOON + timedelta(minutes=number // 2),
        )
        user.save()
        users.append(user)
    return users


def emails(sought: UserFilter, most: int = 2) -> list[str | None]:
    """Return the emails that are found, over pages of so many."""
    found, users = search_page(sought, most), []
    while found.users or found.next:
        users += found.users
        assert len(found.users) <= most
        if found.next is None:
            break
        found = search_page(sought, most, found.next)
    return [user.email for user in users]


def test_search_text_matches_the_start_of_an_email_or_name() -> None:
    """Each user once, however often they meet it, and nothing is a sign
    for something else.
    """
    settle()
    for typed, numbers in {
        "ada": [2, 3, 0, 1],
        "  ADA  love ": [0],
        "ada@": [0],
        "mary jane ad": [1],
        "émile s": [4],
        "\u200fSTRASSE": [4],
        "100%_'": [5],
        "x" * 400: [5],
        "%": [],
        "_": [],
        "'": [],
        "a%": [],
        "love ada": [],
        "\u202e": [5, 2, 3, 0, 4, 1, 6],
    }.items():
        expected = {PEOPLE[number][0] for number in numbers}
        for most in (1, 2, 100):
            found = emails(UserFilter(typed), most)
            assert len(found) == len(set(found)), typed
            assert set(found) == expected, typed


def test_filters_combine_and_set_the_order() -> None:
    """The newest first, or the last disabled first; all filters combine."""
    users = settle()
    for number, user in enumerate(users):
        user.role = "admin" if number in (1, 3, 5) else "member"
        if number in (0, 1, 2):
            user.disabled_at = NOON - timedelta(hours=number)
        if number in (1, 2, 6):
            user.signed_in_at = NOON
        user.save()
    order = sorted(users, key=lambda user: (user.created_at, user.id))[::-1]

    def of(*numbers: int) -> list[str | None]:
        """Return the emails of these people, the newest first."""
        chosen = [users[number] for number in numbers]
        return [user.email for user in order if user in chosen]

    assert emails(UserFilter()) == of(*range(7))
    assert emails(UserFilter(role=Role.ADMIN)) == of(1, 3, 5)
    assert emails(UserFilter(role=Role.MEMBER), 1) == of(0, 2, 4, 6)
    assert emails(UserFilter(disabled=True), 1) == [
        users[number].email for number in (0, 1, 2)
    ]
    assert emails(UserFilter(disabled=False)) == of(3, 4, 5, 6)
    assert emails(UserFilter(signed_in=False)) == of(0, 3, 4, 5)
    assert emails(UserFilter(signed_in=True)) == of(1, 2, 6)
    assert emails(UserFilter("", Role.ADMIN, True, True)) == of(1)
    assert emails(UserFilter("ada", Role.ADMIN)) == [
        users[number].email for number in (3, 1)
    ]


def test_page_scans_a_bounded_number_of_rows(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A page may be empty then, and has a cursor to continue from."""
    settle()
    monkeypatch.setattr(user_search, "MAX_ROWS_SCANNED", 3)
    found = search_page(
        UserFilter(disabled=False, role=Role.MEMBER, signed_in=True), 1
    )
    assert (found.users, found.next is None) == ([], False)
    assert emails(UserFilter("u", signed_in=True)) == []
    assert len(emails(UserFilter("u", disabled=False), 1)) == 3


def test_invalid_cursor_is_refused() -> None:
    """The error names the field; the database is not asked."""
    with pytest.raises(InvalidValue, match="after"):
        search_page(UserFilter(), 1, Cursor("x", "", "y"))
    assert (
        search_page(UserFilter("a"), 1, Cursor("\U0010ffff", "", "")).users
        == []
    )


@pytest.mark.parametrize(
    ("sought", "indexes"),
    [
        (UserFilter(), ["users_created_at"]),
        (UserFilter(role=Role.ADMIN), ["users_role"]),
        (UserFilter(disabled=True), ["users_disabled_at"]),
        (UserFilter(signed_in=False), ["users_signed_in_at"]),
        (
            UserFilter("ada lov"),
            [
                "users_email_key",
                "users_first_key",
                "users_last_key",
                "users_first_key",
            ],
        ),
    ],
)
def test_each_page_uses_an_index(
    sought: UserFilter, indexes: list[str]
) -> None:
    """However many users there are, nothing is sorted."""
    if not database().is_sqlite:
        return
    place = Cursor(NOON.isoformat(), "", "x")
    for after in (None, place):
        used = []
        for statement in user_search._statements(sought, 5, after):
            compiled = statement.compile(
                database().engine, compile_kwargs={"literal_binds": True}
            )
            plan = database().fetch_all(text(f"EXPLAIN QUERY PLAN {compiled}"))
            assert not any("TEMP B-TREE" in row[-1] for row in plan), plan
            used += [row[-1].split("INDEX ")[1].split()[0] for row in plan]
        assert used == indexes
