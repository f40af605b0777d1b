#!/usr/bin/env python3
"""An admin is always left: of two who take each other away, one stays."""

from typing import Any

import pytest

from tests.conftest import Serve
from tests.e2e.server.accounts import Account, account
from tests.e2e.server.test_authorization import status_and_json
from tests.serving import COOKIE
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
def test_the_last_admin_stays(
    serve: Serve, method: str, ending: str, body: dict[str, Any]
) -> None:
    """A 409, also to two admins who take each other away at once."""
    server = serve(
        AUTH_TYPE="session_db_auth", SESSION_NAME=COOKIE, THROTTLE="off"
    )
    for _ in range(3):
        admins = [account("admin") for _ in range(2)]

        def take_away(number: int, admins: list[Account] = admins) -> Any:
            """Take the other one away; return what is said."""
            return status_and_json(
                server.request(
                    method,
                    f"/api/v1/users/{admins[1 - number].id}{ending}",
                    cookie=admins[number].session_id,
                    **body,
                )
            )

        answers = at_once(2, take_away)
        # The later one may find that it is no admin any more.
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
