#!/usr/bin/env python3
"""Users by search and filter: each once, in order, page by page."""

from datetime import datetime, timedelta, timezone

import pytest
from sqlalchemy import select, text

from vestibule.core.errors import InvalidValue
from vestibule.db import keyset, user_search
from vestibule.db.engine import database
from vestibule.db.keyset import Cursor, cursor_at, statements
from vestibule.db.models.user import Role, User
from vestibule.db.tables import USERS
from vestibule.db.user_search import UserFilter, search_page

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


def store_people() -> list[User]:
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


def test_search_finds_parts_of_emails_and_names() -> None:
    """Each word must be in the email or a name; case and accents aside.

    A user is found once, and no character has a special meaning.
    """
    users = store_people()
    for typed, numbers in {
        "ada": [0, 1, 2, 3],
        "  ADA  love ": [0],
        "love ada": [0],
        "lovel": [0],
        "@example": range(7),
        "u4@EXAMPLE.com": [4],
        "jane mary": [1],
        "emile": [4],
        "\u00c9mile s": [4],
        "\u200fSTRASSE": [4],
        "100%_'": [5],
        "x" * 400: [5],
        "da": [0, 1, 2, 3],
        "y": [1, 5],
        "%": [5],
        "_": [5],
        "'": [5],
        "a%": [],
        '"': [],
        '"ada" OR "mary"': [],
        "ada mary zzz": [],
        "lovelacf": [],
        "\u202e": range(7),
    }.items():
        expected = {users[number].email for number in numbers}
        for most in (1, 2, 100):
            found = emails(UserFilter(typed), most)
            assert len(found) == len(set(found)), typed
            assert set(found) == expected, typed


def test_search_follows_changes_of_users() -> None:
    """The index knows new names at once, and forgets old ones."""
    user = store_people()[0]
    user.first_name, user.last_name = "Grace", "M\u00fcller"
    user.email = "s\u00f8ren@example.com"
    user.save_changes()
    for typed, count in {
        "lovelace": 0,
        "ada@": 0,
        "muller": 1,
        "M\u00dcLLER grace": 1,
        "soren@": 1,
    }.items():
        assert len(emails(UserFilter(typed))) == count, typed
    user.signed_in_at = NOON
    user.save_changes()
    assert emails(UserFilter("muller")) == [user.email]
    user.remove()
    assert emails(UserFilter("muller")) == []
    User(id=user.id, email="again@example.com").save()
    assert emails(UserFilter("again")) == ["again@example.com"]


def test_trigrams_that_most_users_have_find_no_one_less(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """If the rare ones have too many matches, all of them are asked for.

    A scan would not find the user, who is older than so many others.
    """
    names = ["ann@example.com", *(f"ann{n}@mail.org" for n in range(5))]
    names += [f"user{n}@example.com" for n in range(40)]
    for number, email in enumerate(names):
        User(email=email, created_at=NOON + timedelta(minutes=number)).save()
    monkeypatch.setattr(keyset, "MAX_ROWS_SORTED", 3)
    monkeypatch.setattr(keyset, "MAX_ROWS_SCANNED", 5)
    for typed, expected in {
        "ann@example.com": ["ann@example.com"],
        "ann example": ["ann@example.com"],
        "ann3@mail": ["ann3@mail.org"],
        "user17@example.com": ["user17@example.com"],
        "example zebra": [],
    }.items():
        page = search_page(UserFilter(typed), 9)
        assert [user.email for user in page.users] == expected, typed
        assert page.next is None
    # Only common trigrams: the newest users, over pages of a scan.
    assert len(emails(UserFilter("example"), 9)) == 41


def test_search_without_trigrams_scans(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The same users are found, over pages that may be short."""
    users = store_people()
    nothing = text("SELECT 1 WHERE 1 = 0")
    monkeypatch.setattr(
        user_search, "_HAS_TRIGRAMS", {True: nothing, False: nothing}
    )
    for rows in (2, 100):
        monkeypatch.setattr(keyset, "MAX_ROWS_SCANNED", rows)
        found, after = [], None
        for _ in range(9):
            page = search_page(UserFilter("strasse"), 2, after)
            found += page.users
            after = page.next
            if after is None:
                break
        assert found == [users[4]]


@pytest.mark.slow
@pytest.mark.parametrize("few", [0, 100])
@pytest.mark.parametrize("sort", user_search.SORTS)
def test_each_order_pages_forward_and_back(
    sort: str, few: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Both ways have the same pages; users without a value come last.

    With `few` of 0 the index of the order leads, else a search.
    """
    monkeypatch.setattr(keyset, "MAX_ROWS_SORTED", few)
    for number, user in enumerate(store_people()):
        user.role = "admin" if number % 2 else "member"
        user.disabled_at = NOON if number in (1, 4) else None
        user.signed_in_at = None if number in (0, 3) else NOON
        user.save()
    User(first_name="Example").save()
    wanted = UserFilter("example", sort=sort)
    expected = emails(wanted, 100)
    assert len(set(expected)) == 8
    if "signed_in" in sort:
        assert None in expected[-3:]
    for most in (1, 3, 7, 8):
        page, forward = search_page(wanted, most), []
        assert page.previous is None
        while True:
            forward.append(page.users)
            if page.next is None:
                break
            page = search_page(wanted, most, page.next)
        assert [user.email for users in forward for user in users] == expected
        for users in reversed(forward[:-1]):
            assert page.previous is not None
            page = search_page(wanted, most, page.previous)
            assert page.users == users
            assert page.next is not None
        assert page.previous is None


def test_count_is_exact_within_a_bound(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Beyond the bound it is what was found so far."""
    store_people()
    count = user_search.count_users
    assert count(UserFilter()) == (7, True)
    assert count(UserFilter("ada")) == (4, True)
    assert count(UserFilter("zzz")) == (0, True)
    assert count(UserFilter(role=Role.MEMBER)) == (7, True)
    monkeypatch.setattr(keyset, "MAX_ROWS_COUNTED", 3)
    assert count(UserFilter()) == (3, False)
    assert not count(UserFilter(role=Role.MEMBER)).is_exact


def test_filters_combine_and_set_the_order() -> None:
    """The newest first, or the last disabled first; all filters combine."""
    users = store_people()
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
    assert emails(UserFilter("ada", Role.ADMIN)) == of(1, 3)
    assert emails(UserFilter(role=Role.ADMIN, sort="email")) == [
        users[number].email for number in (5, 3, 1)
    ]


def test_page_scans_a_bounded_number_of_rows(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A page may be empty then, and has a cursor to continue from."""
    store_people()
    monkeypatch.setattr(keyset, "MAX_ROWS_SCANNED", 3)
    monkeypatch.setattr(keyset, "MAX_ROWS_SORTED", 0)
    found = search_page(
        UserFilter(disabled=False, role=Role.MEMBER, signed_in=True), 1
    )
    assert (found.users, found.next is None) == ([], False)
    assert emails(UserFilter("u", signed_in=True)) == []
    assert len(emails(UserFilter("u", disabled=False), 1)) == 4


def test_invalid_cursor_is_refused() -> None:
    """The error names the field; the database is not asked."""
    for values in (("x", "y"), ("1",), (None, "x"), ()):
        with pytest.raises(InvalidValue, match="after"):
            search_page(UserFilter(), 1, Cursor(values))
    assert (
        search_page(
            UserFilter("a", sort="email"), 1, Cursor(("\U0010ffff", ""))
        ).users
        == []
    )


@pytest.mark.slow
@pytest.mark.parametrize(
    ("sort", "index"),
    [
        ("email", "users_email_key"),
        ("-name", "users_last_key"),
        ("role", "users_role"),
        ("-disabled", "users_disabled_at"),
        ("-created", "users_created_at"),
        ("signed_in", "users_signed_in_at"),
    ],
)
@pytest.mark.parametrize("is_backward", [False, True])
def test_each_order_uses_an_index(
    sort: str, index: str, is_backward: bool
) -> None:
    """However many users there are, nothing is sorted."""
    if not database().is_sqlite:
        return
    store_people()
    order = user_search._order(UserFilter(sort=sort))
    row = database().fetch_all(select(USERS))[3]
    place = cursor_at(order, row, is_backward)
    for cursor in (None, place):
        for statement in statements(order, select(USERS), cursor):
            compiled = statement.limit(5).compile(
                database().engine, compile_kwargs={"literal_binds": True}
            )
            plan = database().fetch_all(text(f"EXPLAIN QUERY PLAN {compiled}"))
            if sort == "email" and "IS NULL" in str(compiled):
                continue
            # Rows with one email are sorted by id: there is one of them.
            sorts = "USE TEMP B-TREE FOR ORDER BY"
            assert not any(sorts in row[-1] for row in plan), plan
            assert f"INDEX {index} " in f"{plan[0][-1]} ", plan
