#!/usr/bin/env python3
"""Users by search and filter: each once, in order, page by page."""

from datetime import datetime, timedelta, timezone

import pytest
from sqlalchemy import text

from models import directory
from models.directory import Place, Sought, page
from models.engine import database
from models.role import Role
from models.user import User
from vestibule.errors import InvalidValue

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
            email=email, first_name=first, last_name=last,
            created_at=NOON + timedelta(minutes=number // 2),
        )
        user.save()
        users.append(user)
    return users


def emails(sought: Sought, most: int = 2) -> list[str | None]:
    """Return the emails that are found, over pages of so many."""
    found, users = page(sought, most), []
    while found.users or found.next:
        users += found.users
        assert len(found.users) <= most
        if found.next is None:
            break
        found = page(sought, most, found.next)
    return [user.email for user in users]


def test_what_is_typed_is_the_beginning_of_an_email_or_a_name() -> None:
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
        "%": [], "_": [], "'": [], "a%": [], "love ada": [],
        "\u202e": [5, 2, 3, 0, 4, 1, 6],
    }.items():
        expected = {PEOPLE[number][0] for number in numbers}
        for most in (1, 2, 100):
            found = emails(Sought(typed), most)
            assert len(found) == len(set(found)), typed
            assert set(found) == expected, typed


def test_filters_and_their_order() -> None:
    """The newest first, or who was disabled last; and all filters at once.
    """
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

    assert emails(Sought()) == of(*range(7))
    assert emails(Sought(role=Role.ADMIN)) == of(1, 3, 5)
    assert emails(Sought(role=Role.MEMBER), 1) == of(0, 2, 4, 6)
    assert emails(Sought(disabled=True), 1) == [
        users[number].email for number in (0, 1, 2)
    ]
    assert emails(Sought(disabled=False)) == of(3, 4, 5, 6)
    assert emails(Sought(signed_in=False)) == of(0, 3, 4, 5)
    assert emails(Sought(signed_in=True)) == of(1, 2, 6)
    assert emails(Sought("", Role.ADMIN, True, True)) == of(1)
    assert emails(Sought("ada", Role.ADMIN)) == [
        users[number].email for number in (3, 1)
    ]


def test_a_page_looks_at_so_many(monkeypatch: pytest.MonkeyPatch) -> None:
    """It may be empty then, and says where to go on."""
    settle()
    monkeypatch.setattr(directory, "LOOKED", 3)
    found = page(Sought(disabled=False, role=Role.MEMBER, signed_in=True), 1)
    assert (found.users, found.next is None) == ([], False)
    assert emails(Sought("u", signed_in=True)) == []
    assert len(emails(Sought("u", disabled=False), 1)) == 3


def test_a_place_that_is_none_is_refused() -> None:
    """By the field's name, and not by the database."""
    with pytest.raises(InvalidValue, match="after"):
        page(Sought(), 1, Place("x", "", "y"))
    assert page(Sought("a"), 1, Place("\U0010ffff", "", "")).users == []


@pytest.mark.parametrize(
    ("sought", "indexes"),
    [
        (Sought(), ["users_created_at"]),
        (Sought(role=Role.ADMIN), ["users_role"]),
        (Sought(disabled=True), ["users_disabled_at"]),
        (Sought(signed_in=False), ["users_signed_in_at"]),
        (Sought("ada lov"), [
            "users_email_key", "users_first_key", "users_last_key",
            "users_first_key",
        ]),
    ],
)
def test_an_index_leads_to_each_page(
    sought: Sought, indexes: list[str]
) -> None:
    """However many users there are, nothing is sorted."""
    if not database().is_sqlite:
        return
    place = Place(NOON.isoformat(), "", "x")
    for after in (None, place):
        used = []
        for statement in directory._statements(sought, 5, after):
            compiled = statement.compile(
                database().engine, compile_kwargs={"literal_binds": True}
            )
            plan = database().rows(text(f"EXPLAIN QUERY PLAN {compiled}"))
            assert not any("TEMP B-TREE" in row[-1] for row in plan), plan
            used += [row[-1].split("INDEX ")[1].split()[0] for row in plan]
        assert used == indexes
