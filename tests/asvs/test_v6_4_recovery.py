#!/usr/bin/env python3
"""ASVS 6.4: password reset codes are short-lived and single-use."""

from datetime import timedelta

from sqlalchemy import update

from tests.asvs.service import GOOD, Service
from tests.e2e.server.accounts import PASSWORD, account
from tests.serving import ME, USERS
from vestibule.accounts.recovery import RESET_CODE_LIFETIME
from vestibule.core import clock
from vestibule.db.engine import database
from vestibule.db.tables import RESET_CODES

RESET = "/api/v1/auth_session/reset"
REFUSED = (400, {"error": "wrong or expired code"})


def code_for(server: Service, admin: str, user_id: str) -> str:
    """Issue a reset code for a user as an admin."""
    answer = server.request(
        "POST",
        f"{USERS}/{user_id}/password-reset",
        admin,
        headers={"Host": "evil.example"},
    )
    assert answer.status_code == 200
    assert "evil" not in answer.text
    return str(answer.get_json()["code"])


def redeem(
    server: Service, email: str, code: str, password: str = GOOD
) -> tuple[int, object]:
    """Use a code; return status and body."""
    answer = server.request(
        "POST",
        RESET,
        data={
            "email": email,
            "code": code,
            "new_password": password,
        },
    )
    assert "Set-Cookie" not in answer.headers
    return answer.status_code, answer.get_json()


def age(user_id: str, minutes: int) -> None:
    """Make a user's code older."""
    with database().transaction() as connection:
        connection.execute(
            update(RESET_CODES)
            .where(RESET_CODES.c.user_id == user_id)
            .values(
                expires_at=clock.now()
                + RESET_CODE_LIFETIME
                - timedelta(minutes=minutes)
            )
        )


def test_v6_4_1_initial_secrets_are_short_lived(hardened: Service) -> None:
    """A code is long and random, expires after an hour, and works once."""
    admin, user = account("admin").session_id, account()
    codes = {code_for(hardened, admin, user.id) for _ in range(20)}
    assert len(codes) == 20
    assert {len(code.replace("-", "")) for code in codes} == {28}
    late = code_for(hardened, admin, user.id)
    age(user.id, 61)
    assert redeem(hardened, user.email, late) == REFUSED
    timely = code_for(hardened, admin, user.id)
    age(user.id, 59)
    assert redeem(hardened, user.email, timely) == (200, {})
    assert redeem(hardened, user.email, timely) == REFUSED
    hardened.login(user.email, GOOD)


def test_v6_4_2_no_hints_and_no_questions(hardened: Service) -> None:
    """Such fields are neither stored nor shown, and reset nothing."""
    admin = account("admin").session_id
    answer = hardened.request(
        "POST",
        USERS,
        admin,
        json={
            "email": "hint@example.com",
            "password": GOOD,
            "password_hint": "kites",
            "secret_question": "pet?",
            "answer": "cat",
        },
    )
    assert answer.status_code == 201
    shown = set(answer.get_json())
    assert shown == {
        "id",
        "email",
        "first_name",
        "last_name",
        "created_at",
        "updated_at",
    }
    answer = hardened.request(
        "POST",
        RESET,
        data={
            "email": "hint@example.com",
            "answer": "cat",
            "new_password": GOOD,
        },
    )
    assert answer.status_code == 400


def test_v6_4_3_safe_reset(hardened: Service) -> None:
    """A new code invalidates the old one; the reset ends all sessions.

    Known and unknown users get the same response, and no user is logged in.
    """
    admin, user = account("admin").session_id, account()
    first = code_for(hardened, admin, user.id)
    second = code_for(hardened, admin, user.id)
    assert redeem(hardened, user.email, first) == REFUSED
    assert redeem(hardened, "unknown@example.com", second) == REFUSED
    assert redeem(hardened, account().email, second) == REFUSED
    assert hardened.status(user.session_id) == 200
    assert redeem(hardened, user.email, second) == (200, {})
    assert hardened.status(user.session_id) == 403
    assert hardened.post_login(user.email, PASSWORD).status_code == 401


def test_v6_4_6_admins_choose_no_password(hardened: Service) -> None:
    """A password in an admin's request has no effect."""
    admin, user = account("admin").session_id, account()
    for body in ({"password": GOOD}, {"new_password": GOOD}):
        for path in ("", "/role", "/disabled", "/password-reset"):
            hardened.request(
                "POST" if path == "/password-reset" else "PUT",
                f"{USERS}/{user.id}{path}",
                admin,
                json=body,
            )
    assert hardened.post_login(user.email, GOOD).status_code == 401
    assert (
        hardened.request(
            "GET", ME, hardened.login(user.email, PASSWORD)
        ).status_code
        == 200
    )
