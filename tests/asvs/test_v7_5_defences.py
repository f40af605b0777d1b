#!/usr/bin/env python3
"""ASVS 7.5 and 7.6: reauthentication, own sessions, explicit login."""

from datetime import timedelta

from sqlalchemy import update

from tests.app.api.matrix import routes
from tests.asvs.service import EVIL, Service
from tests.e2e.server.accounts import (
    PASSWORD,
    account,
    handle_of,
    open_session,
)
from tests.serving import LOGIN, ME, REFRESH, SESSIONS, USERS
from vestibule.core import clock
from vestibule.db.engine import database
from vestibule.db.models.user import User
from vestibule.db.models.user_session import UserSession
from vestibule.db.tables import USER_SESSIONS


def expire_reauth(handle: str) -> None:
    """Make a session's last authentication older than the window."""
    with database().transaction() as connection:
        connection.execute(
            update(USER_SESSIONS)
            .where(USER_SESSIONS.c.id == handle)
            .values(authenticated_at=clock.now() - timedelta(seconds=301))
        )


def test_v7_5_1_fresh_proof_before_email(hardened: Service) -> None:
    """The email changes only after a recent authentication."""
    user = account()
    expire_reauth(handle_of(user.session_id))
    body = {"email": f"new-{user.email}"}
    answer = hardened.request("PUT", f"{ME}/email", user.session_id, json=body)
    assert answer.status_code == 403
    stored = User.get(user.id)
    assert stored is not None and stored.email == user.email
    wrong = hardened.request(
        "POST", REFRESH, user.session_id, data={"password": "wrong"}
    )
    assert 400 <= wrong.status_code < 500
    renewed = hardened.token(
        hardened.request(
            "POST", REFRESH, user.session_id, data={"password": PASSWORD}
        )
    )
    answer = hardened.request("PUT", f"{ME}/email", renewed, json=body)
    assert answer.status_code == 200
    assert answer.get_json()["email"] == body["email"]


def test_v7_5_2_users_see_and_end_their_sessions(hardened: Service) -> None:
    """The list shows handles and no token; foreign handles are unknown."""
    user, other = account(), account()
    second = open_session(user.user)
    answer = hardened.request("GET", SESSIONS, user.session_id)
    handles = {one["id"]: one["current"] for one in answer.get_json()}
    mine, third = handle_of(user.session_id), handle_of(second)
    assert handles == {mine: True, third: False}
    for secret in (user.session_id, second):
        assert secret not in answer.text
    foreign = f"{SESSIONS}/{handle_of(other.session_id)}"
    assert (
        hardened.request("DELETE", foreign, user.session_id).status_code == 404
    )
    assert hardened.status(other.session_id) == 200
    for handle in handles:
        # A handle does not authenticate.
        assert hardened.status(handle) == 403
    assert (
        hardened.request(
            "DELETE", f"{SESSIONS}/{third}", user.session_id
        ).status_code
        == 200
    )
    assert hardened.status(second) == 403
    second = open_session(user.user)
    answer = hardened.request("DELETE", SESSIONS, user.session_id)
    assert answer.get_json() == {"ended": 1}
    assert hardened.status(second) == 403
    assert hardened.status(user.session_id) == 200


def test_v7_5_3_step_up_before_deletion(hardened: Service) -> None:
    """Deleting an account needs a recent authentication."""
    user = account()
    expire_reauth(handle_of(user.session_id))
    path = f"{USERS}/{user.id}"
    answer = hardened.request("DELETE", path, user.session_id)
    assert answer.status_code == 403
    assert User.get(user.id) is not None
    fresh = hardened.login(user.email, PASSWORD)
    assert hardened.request("DELETE", path, fresh).status_code == 200


def test_v7_6_2_sessions_need_an_explicit_act(hardened: Service) -> None:
    """Reading creates no session, nor does a bogus cookie; another site cannot
    log a user in.
    """
    user = account()
    before = UserSession.count()
    for method in ("GET", "HEAD", "OPTIONS"):
        for _, path in sorted(routes()):
            for cookie in (None, "bogus", user.session_id):
                answer = hardened.request(method, path, cookie)
                assert "Set-Cookie" not in answer.headers
    for headers in ({"Origin": EVIL}, {"Sec-Fetch-Site": "cross-site"}):
        answer = hardened.post_login(user.email, PASSWORD, **headers)
        assert answer.status_code == 403
        assert "Set-Cookie" not in answer.headers
    answer = hardened.request(
        "GET",
        LOGIN,
        query_string={
            "email": user.email,
            "password": PASSWORD,
        },
    )
    assert answer.status_code == 405
    assert UserSession.count() == before
