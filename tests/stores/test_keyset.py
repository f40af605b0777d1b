#!/usr/bin/env python3
"""A page of events is read from an index, wherever in the list it is."""

import pytest
from sqlalchemy import select, text

from vestibule.db import keyset
from vestibule.db.engine import database
from vestibule.db.keyset import Cursor, Order
from vestibule.db.tables import EVENTS


@pytest.mark.parametrize("is_backward", [False, True])
def test_page_within_one_value_is_entered_at_the_cursor(
    is_backward: bool,
) -> None:
    """A million events of one kind are not read to reach the last ones."""
    order = Order((EVENTS.c.kind, EVENTS.c.id))
    plans = [
        database().fetch_all(
            text(
                "EXPLAIN QUERY PLAN "
                + str(
                    each.limit(26).compile(
                        database().engine,
                        compile_kwargs={"literal_binds": True},
                    )
                )
            )
        )[0][-1]
        for each in keyset.statements(
            order, select(EVENTS.c.id), Cursor(("login", "7"), is_backward)
        )
    ]
    sign = "<" if is_backward else ">"
    assert [plan.rpartition("(")[2] for plan in plans] == [
        f"kind=? AND id{sign}?)",
        f"kind{sign}?)",
    ]
