#!/usr/bin/env python3
"""ASVS 7.4: ended sessions stay ended, on every worker."""

from tests.asvs.conftest import HARDENED, Start
from tests.asvs.service import GOOD, Service, set_password
from tests.e2e.server.accounts import PASSWORD, account, open_session
from tests.serving import LOGOUT, ME, USERS
from tests.threads import at_once
from vestibule.db.models.user import User


def test_v7_4_1_logout_ends_it_on_the_server(
    hardened: Service, start: Start
) -> None:
    """A replayed cookie is refused, also by another application."""
    token = hardened.login(account().email, PASSWORD)
    assert hardened.request("DELETE", LOGOUT, token).status_code == 200
    assert hardened.status(token) == 403
    assert start(**HARDENED).status(token) == 403


def test_v7_4_1_nothing_brings_it_back(hardened: Service) -> None:
    """None of 50 requests during a logout keeps the session alive."""
    user = account()
    token = hardened.login(user.email, PASSWORD)

    def use(number: int) -> tuple[int, int]:
        """Log out once, else use the session; return both statuses."""
        if number == 25:
            done = hardened.request("DELETE", LOGOUT, token).status_code
            return done, hardened.status(token)
        return hardened.status(token), 403

    answers = at_once(50, use)
    assert answers[25] == (200, 403)
    assert hardened.status(token) == 403


def test_v7_4_2_deleting_a_user_ends_all(hardened: Service) -> None:
    """All sessions end with the account; a new user gets none of them."""
    admin, user = account("admin").session_id, account()
    tokens = [user.session_id, *(open_session(user.user) for _ in range(2))]
    assert {hardened.status(token) for token in tokens} == {200}
    admin = hardened.login(account("admin").email, PASSWORD)
    answer = hardened.request("DELETE", f"{USERS}/{user.id}", admin)
    assert answer.status_code == 200
    assert {hardened.status(token) for token in tokens} == {403}
    answer = hardened.request(
        "POST",
        USERS,
        admin,
        json={
            "email": user.email,
            "password": GOOD,
        },
    )
    assert answer.status_code == 201
    assert {hardened.status(token) for token in tokens} == {403}
    assert hardened.post_login(user.email, PASSWORD).status_code == 401


def test_v7_4_2_disabling_a_user_ends_all(
    hardened: Service, start: Start
) -> None:
    """Sessions, logins and Basic fail; enabling restores no session."""
    admin, user = account("admin").session_id, account()
    path = f"{USERS}/{user.id}/disabled"
    tokens = [user.session_id, hardened.login(user.email, PASSWORD)]
    basic = start("basic_auth", **HARDENED)
    login = (user.email, PASSWORD)
    assert basic.request("GET", ME, auth=login).status_code == 200
    answer = hardened.request("PUT", path, admin, json={"disabled": True})
    assert answer.status_code == 200
    assert {hardened.status(token) for token in tokens} == {403}
    assert hardened.post_login(*login).status_code == 401
    assert basic.request("GET", ME, auth=login).status_code == 403
    hardened.request("PUT", path, admin, json={"disabled": False})
    assert {hardened.status(token) for token in tokens} == {403}
    hardened.login(*login)


def test_v7_4_3_password_change_ends_the_others(hardened: Service) -> None:
    """All other sessions end, and the current one gets a new id."""
    user = account()
    current = hardened.login(user.email, PASSWORD)
    answer = set_password(hardened, current, PASSWORD, GOOD)
    assert answer.status_code == 200
    renewed = hardened.token(answer)
    assert hardened.status(user.session_id) == 403
    assert hardened.status(current) == 403
    assert hardened.status(renewed) == 200


def test_v7_4_5_admins_end_sessions(hardened: Service) -> None:
    """Admins end the sessions of one user or of all; members cannot."""
    member, user, other = account(), account(), account()
    all_sessions, one = "/api/v1/sessions", f"{USERS}/{user.id}/sessions"
    for path in (all_sessions, one):
        answer = hardened.request("DELETE", path, member.session_id)
        assert answer.status_code == 403
    assert hardened.status(user.session_id) == 200
    admin = account("admin").session_id
    answer = hardened.request("DELETE", one, admin)
    assert answer.get_json() == {"ended": 1}
    assert hardened.status(user.session_id) == 403
    assert hardened.status(other.session_id) == 200
    assert hardened.request("DELETE", all_sessions, admin).status_code == 200
    for token in (other.session_id, member.session_id, admin):
        assert hardened.status(token) == 403
    assert User.get(other.id) is not None
