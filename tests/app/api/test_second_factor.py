#!/usr/bin/env python3
"""Logins with a second factor over the API, and enrolment."""

import base64
from collections.abc import Callable
from typing import Any

import pytest

from tests.app.api.conftest import Build
from tests.app.api.factor_owner import (
    CONTINUE,
    COOKIE,
    FACTORS,
    LOGOUT,
    ME,
    VERIFY,
    Owner,
    facts,
    waiting,
)
from tests.app.api.service import (
    NEW,
    PASSWORD,
    Service,
    basic,
    cookie_name,
    stored_user,
)
from tests.clocks import SetClock
from vestibule.accounts import totp
from vestibule.accounts.recovery import issue_code
from vestibule.core import clock
from vestibule.db import factors
from vestibule.db.models.user import User
from vestibule.sessions.facts import (
    SessionFacts,
    level_of,
)

#: ASCII digits as their full-width forms.
FULL_WIDTH = {ord("0") + n: 0xFF10 + n for n in range(10)}


pytestmark = pytest.mark.usefixtures("with_key")


def test_user_without_a_factor_logs_in_as_before(service: Service) -> None:
    """One request, the user, one cookie, level 1."""
    user = stored_user()
    client, answer = service.log_in(user)
    assert (answer.status_code, answer.get_json()) == (200, user.to_json())
    assert client.get_cookie(COOKIE) is None
    assert facts(service, client) == SessionFacts(clock.now(), ("pwd",))
    assert level_of(facts(service, client)) == 1


def test_password_alone_begins_no_session(
    service: Service, owner: Owner
) -> None:
    """The cookie of the waiting login opens nothing, by any name."""
    client = waiting(service, owner)
    assert service.mechanism.store.count() == 0
    assert client.get_cookie(cookie_name()) is None
    cookie = client.get_cookie(COOKIE)
    assert cookie is not None
    assert (cookie.http_only, cookie.path, cookie.max_age) == (
        True,
        "/",
        600,
    )
    assert len(base64.urlsafe_b64decode(cookie.value + "=")) == 32
    client.set_cookie(cookie_name(), cookie.value)
    for path in (ME, VERIFY, FACTORS):
        assert client.get(path).status_code in (401, 403)


def test_wrong_password_does_not_say_that_there_is_a_factor(
    service: Service, owner: Owner
) -> None:
    """The answer is that of every wrong password, without a cookie."""
    client, answer = service.log_in(owner.user, "wrong")
    assert answer.get_json() == {"error": "wrong password"}
    assert client.get_cookie(COOKIE) is None


def test_code_continues_the_login(service: Service, owner: Owner) -> None:
    """The session has level 2, and the cookie of the wait goes."""
    client = waiting(service, owner)
    answer = client.post(CONTINUE, data={"code": owner.code()})
    assert answer.status_code == 200
    assert answer.get_json() == owner.user.to_json()
    assert client.get(ME).status_code == 200
    assert client.get_cookie(COOKIE) is None
    found = facts(service, client)
    assert found.methods == ("pwd", "otp")
    assert found.auth_time == found.second_factor_time == clock.now()
    assert level_of(found) == 2


def test_wrong_code_leaves_the_login_waiting(
    service: Service, owner: Owner
) -> None:
    """The user may mistype; five times without a wait."""
    client = waiting(service, owner)
    for code in ("000000x", "12345", "1234567", "\uff11" * 6, owner.code(5)):
        answer = client.post(CONTINUE, json={"code": code})
        assert answer.get_json() == {"error": "wrong code"}
        assert answer.status_code == 401
    answer = client.post(CONTINUE, json={"code": owner.code()})
    assert answer.status_code == 200


@pytest.mark.parametrize(
    "body", [{}, {"code": ""}, {"code": 123456}, {"code": None}, []]
)
def test_request_without_a_code_is_refused(
    service: Service, owner: Owner, body: Any
) -> None:
    """Other types are no code."""
    client = waiting(service, owner)
    answer = client.post(CONTINUE, json=body)
    assert answer.status_code == 400
    assert client.get_cookie(COOKIE) is not None


@pytest.mark.parametrize(
    ("typed", "status"),
    [
        (lambda code: code[:5], 401),
        (lambda code: f"{code}0", 401),
        (lambda code: f"0{code}", 401),
        (lambda code: code.translate(FULL_WIDTH), 401),
        (lambda code: f"{code[:3]}\u00a0{code[3:]}", 401),
        (lambda code: f"+{code[1:]}", 401),
        (lambda code: f"{code}\n", 401),
        (lambda code: f" {code[:3]} {code[3:]} ", 200),
        (lambda code: code, 200),
    ],
)
def test_code_has_six_ascii_digits_and_perhaps_blanks(
    service: Service,
    owner: Owner,
    typed: Callable[[str], str],
    status: int,
) -> None:
    """What is refused leaves no session, and counts as a failure."""
    client = waiting(service, owner)
    answer = client.post(CONTINUE, data={"code": typed(owner.code())})
    assert answer.status_code == status
    assert client.get(ME).status_code == (200 if status == 200 else 401)
    (app,) = [one for one in factors.of_user(owner.user.id) if one.secret]
    assert app.failures == (0 if status == 200 else 1)


@pytest.mark.parametrize(
    ("offset", "status"), [(-2, 401), (-1, 200), (1, 200), (2, 401)]
)
def test_steps_around_now_continue_the_login_once(
    service: Service,
    owner: Owner,
    set_clock: SetClock,
    offset: int,
    status: int,
) -> None:
    """A replay is refused, and so is an earlier step after a later one."""
    set_clock.advance(90)
    body = {"code": owner.code(offset)}
    client = waiting(service, owner)
    assert client.post(CONTINUE, json=body).status_code == status
    again = waiting(service, owner)
    assert again.post(CONTINUE, json=body).status_code == 401


def test_clock_set_back_replays_no_code(
    service: Service, owner: Owner, set_clock: SetClock
) -> None:
    """The code of a used step stays used, and the codes before it too."""
    set_clock.advance(300)
    code = owner.code()
    client = waiting(service, owner)
    assert client.post(CONTINUE, json={"code": code}).status_code == 200
    set_clock.advance(-60)
    for given in (code, owner.code()):
        again = waiting(service, owner)
        answer = again.post(CONTINUE, json={"code": given})
        assert answer.status_code == 401


def test_other_browser_cannot_continue(service: Service, owner: Owner) -> None:
    """Without the cookie, or with another one, a right code is nothing."""
    waiting(service, owner)
    other = service.client()
    for value in (None, "x", "a" * 43):
        if value is not None:
            other.set_cookie(COOKIE, value)
        answer = other.post(CONTINUE, json={"code": owner.code()})
        assert answer.status_code == 401
        assert "expired" in answer.get_json()["error"]
    assert service.mechanism.store.count() == 0


def test_swapped_cookie_continues_the_login_of_its_own_user(
    service: Service, owner: Owner, set_clock: SetClock
) -> None:
    """The cookie says whose code counts; another user's is wrong."""
    other = Owner()
    set_clock.advance(30)
    mine, theirs = waiting(service, owner), waiting(service, other)
    cookie = theirs.get_cookie(COOKIE)
    assert cookie is not None
    mine.set_cookie(COOKIE, cookie.value)
    answer = mine.post(CONTINUE, json={"code": owner.code()})
    assert answer.status_code == 401
    answer = mine.post(CONTINUE, json={"code": other.code()})
    assert answer.get_json()["id"] == other.user.id


def test_login_is_continued_once(
    service: Service, owner: Owner, set_clock: SetClock
) -> None:
    """A replay of its cookie with a new code finds no login."""
    client = waiting(service, owner)
    cookie = client.get_cookie(COOKIE)
    assert cookie is not None
    client.post(CONTINUE, json={"code": owner.code()})
    set_clock.advance(30)
    thief = service.client()
    thief.set_cookie(COOKIE, cookie.value)
    answer = thief.post(CONTINUE, json={"code": owner.code()})
    assert answer.status_code == 401


def test_login_waits_for_ten_minutes(
    service: Service, owner: Owner, set_clock: SetClock
) -> None:
    """After that the password is needed again."""
    client = waiting(service, owner)
    set_clock.advance(600)
    answer = client.post(CONTINUE, json={"code": owner.code()})
    assert answer.status_code == 401
    assert "log in again" in answer.get_json()["error"]


def test_change_of_the_password_ends_the_wait(
    service: Service, owner: Owner
) -> None:
    """A reset by a code does too, and begins no session."""
    client = waiting(service, owner)
    reset = service.client().post(
        "/api/v1/auth_session/reset",
        data={
            "email": owner.user.email,
            "code": issue_code(owner.user).code,
            "new_password": NEW,
        },
    )
    assert reset.status_code == 200
    assert "Set-Cookie" not in reset.headers
    answer = client.post(CONTINUE, json={"code": owner.code()})
    assert answer.status_code == 401
    # The new password does not skip the second factor.
    _, answer = service.log_in(owner.user, NEW)
    assert answer.get_json() == {"error": "second factor required"}


def test_disabled_user_cannot_continue(service: Service, owner: Owner) -> None:
    """Nor after the user was removed."""
    client = waiting(service, owner)
    stored = User.get(owner.user.id)
    assert stored is not None
    stored.disabled_at = clock.now()
    stored.save()
    answer = client.post(CONTINUE, json={"code": owner.code()})
    assert answer.status_code == 401


def test_cross_site_request_cannot_continue(
    service: Service, owner: Owner
) -> None:
    """A form of another site begins no session."""
    client = waiting(service, owner)
    answer = client.post(
        CONTINUE,
        data={"code": owner.code()},
        headers={"Origin": "https://evil.example"},
    )
    assert answer.status_code == 403


def test_right_code_waits_after_failures(
    service: Service, owner: Owner
) -> None:
    """The response is 429 with the seconds, although THROTTLE is off."""
    client = waiting(service, owner)
    for _ in range(6):
        client.post(CONTINUE, json={"code": owner.code(5)})
    answer = client.post(CONTINUE, json={"code": owner.code()})
    assert answer.status_code == 429
    assert answer.headers["Retry-After"] == "1"


def test_recovery_code_gives_a_session_that_can_only_recover(
    service: Service, owner: Owner, set_clock: SetClock
) -> None:
    """It enrolls a new app, and is a full session after that."""
    client = waiting(service, owner)
    code = {"recovery_code": owner.recovery[0]}
    assert client.post(CONTINUE, json=code).status_code == 200
    assert facts(service, client).recovered
    assert level_of(facts(service, client)) == 1
    for path in (ME, VERIFY, "/api/v1/users", f"{FACTORS}x"):
        assert client.get(path).status_code in (401, 403), path
    # Longer than the window of a recent authentication.
    set_clock.advance(600)
    listed = client.get(FACTORS).get_json()
    assert listed["recovery_codes"] == 9
    new = client.post(FACTORS, json={"name": "new phone"}).get_json()
    seed = base64.b32decode(new["key"].replace(" ", ""))
    first = totp.hotp(seed, totp.step_at(clock.now()))
    answer = client.post(
        f"{FACTORS}/{new['id']}/confirm", json={"code": first}
    )
    assert answer.status_code == 200
    assert level_of(facts(service, client)) == 2
    assert client.get(ME).status_code == 200
    assert client.delete(f"{FACTORS}/{owner.app_id}").status_code == 200


def test_recovered_session_ends_after_15_minutes(
    service: Service, owner: Owner, set_clock: SetClock
) -> None:
    """Until then it may log out."""
    client = waiting(service, owner)
    client.post(CONTINUE, json={"recovery_code": owner.recovery[0]})
    set_clock.advance(900)
    assert client.get(FACTORS).status_code == 200
    set_clock.advance(1)
    assert client.get(FACTORS).status_code == 403
    other = waiting(service, owner)
    other.post(CONTINUE, json={"recovery_code": owner.recovery[1]})
    assert other.delete(LOGOUT).status_code == 200


def test_basic_credentials_of_a_user_with_a_factor_are_refused(
    build: Build, owner: Owner
) -> None:
    """A password in each request would go round the factor."""
    service = build("basic_auth")
    client = service.client()
    headers = {"Authorization": basic(owner.user)}
    assert client.get(ME, headers=headers).status_code == 403
    assert client.get(VERIFY, headers=headers).status_code == 401
    other = {"Authorization": basic(stored_user())}
    assert client.get(ME, headers=other).status_code == 200
    assert PASSWORD
