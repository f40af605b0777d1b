#!/usr/bin/env python3
"""Rows are locked in one order, so writers cannot deadlock.

The order of the statements says it, which is the same on each database.
"""

import re
from collections.abc import Callable

import pytest

from tests.statements import Statement, recorded
from tests.stored_codes import new_code
from vestibule.core import clock
from vestibule.db import codes, user_status
from vestibule.db.models.user import Role, User

pytestmark = pytest.mark.slow

#: The order in which a transaction locks several of these tables.
ORDER = ["reset_codes", "users", "user_sessions"]
_TABLE = re.compile(r"\b(?:FROM|UPDATE|INTO) (\w+)")


def _redeem(user: User) -> None:
    """Set the password by a code."""
    now = clock.now()
    assert codes.redeem_reset_code(
        user.id, "digest", "another hash", now, "why"
    )


def _move(user: User) -> None:
    """Change the email."""
    user.email = "elsewhere@example.com"
    user.save_changes()


ACTS: dict[str, Callable[[User], object]] = {
    "change password": lambda user: user.replace_password("another", "why"),
    "redeem code": _redeem,
    "change email": _move,
    "disable": lambda user: user_status.disable(user.id, clock.now(), "why"),
    "enable": lambda user: user_status.enable(user.id, "why"),
    "remove": User.remove,
    "remove as an admin": user_status.remove,
}


def _taken(statements: list[Statement]) -> list[str]:
    """Return the tables of `ORDER` in the order of their first use."""
    named = [_TABLE.findall(each.text) for each in statements]
    tables = dict.fromkeys(name for names in named for name in names)
    return [name for name in tables if name in ORDER]


@pytest.mark.parametrize("act", ACTS.values(), ids=list(ACTS))
def test_every_change_locks_tables_in_one_order(
    act: Callable[[User], None],
) -> None:
    """Each kind of change to a user is recorded."""
    for email in ("amy@example.com", "bob@example.com"):
        user = User(email=email)
        user.role = Role.ADMIN.value
        user.save()
    codes.replace_reset_code(user.id, new_code("digest"))
    with recorded() as statements:
        act(user)
    taken = _taken(statements)
    assert len(taken) > 1
    assert taken == [name for name in ORDER if name in taken]
