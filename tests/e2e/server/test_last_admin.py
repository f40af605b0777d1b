#!/usr/bin/env python3
"""One admin always remains, also after concurrent removals."""

from typing import Any

import pytest

from tests.conftest import Serve
from tests.e2e.server.accounts import Account, account
from tests.e2e.server.conftest import status_and_json
from tests.serving import DB_SESSIONS
from tests.threads import at_once
from vestibule.db.models.user import User

LAST = (
    409,
    {"error": "the last admin cannot be demoted, disabled or deleted"},
)


@pytest.mark.parametrize(
    ("method", "ending", "body"),
    [
        ("PUT", "/role", {"json": {"role": "member"}}),
        ("PUT", "/disabled", {"json": {"disabled": True}}),
        ("DELETE", "", {}),
    ],
)
def test_last_admin_cannot_be_removed(
    serve: Serve, method: str, ending: str, body: dict[str, Any]
) -> None:
    """The response is 409, also if two admins remove each other at once."""
    server = serve(**DB_SESSIONS, THROTTLE="off")
    for _ in range(3):
        admins = [account("admin") for _ in range(2)]

        def remove_other(number: int, admins: list[Account] = admins) -> Any:
            """Remove the other admin; return status and body."""
            return status_and_json(
                server.request(
                    method,
                    f"/api/v1/users/{admins[1 - number].id}{ending}",
                    cookie=admins[number].session_id,
                    **body,
                )
            )

        answers = at_once(2, remove_other)
        # The later request may come from a user who is no admin any more.
        assert sorted(a[0] for a in answers) in ([200, 403], [200, 409])
        left = [
            user
            for user in User.all()
            if user.role == "admin" and user.disabled_at is None
        ]
        assert len(left) == 1
        last = next(each for each in admins if each.id == left[0].id)
        answer = server.request(
            method,
            f"/api/v1/users/{last.id}{ending}",
            cookie=last.session_id,
            **body,
        )
        assert status_and_json(answer) == LAST
        left[0].remove()
