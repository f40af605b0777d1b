#!/usr/bin/env python3
"""Reset of a forgotten password, in process."""

import pytest

from tests.app.api.conftest import Build
from tests.app.api.service import (
    NEW,
    PASSWORD,
    RESET,
    Service,
    stored_user,
)
from tests.clocks import SetClock
from tests.serving import ME, USERS
from vestibule.accounts.recovery import issue_code
from vestibule.accounts.throttle import FAILURE_MEMORY, failures_for_user
from vestibule.db.models.user import User

WRONG = {"error": "wrong or expired code"}


def form(user: User, code: str, password: str = NEW) -> dict[str, str]:
    """Return the form that resets the password of a user."""
    return {"email": str(user.email), "code": code, "new_password": password}


def test_reset_code_is_single_use(service: Service) -> None:
    """All sessions end, and no new session starts."""
    user = stored_user()
    client = service.client_for(user)
    admin = service.client_for(stored_user("admin"))
    shown = admin.post(f"{USERS}/{user.id}/password-reset").get_json()
    answer = service.client().post(RESET, data=form(user, shown["code"]))
    assert (answer.status_code, answer.get_json()) == (200, {})
    assert "Set-Cookie" not in answer.headers
    ended = client.get(ME)
    assert ended.headers["Session-Ended"] == "reason=password_reset"
    assert service.log_in(user)[1].status_code == 401
    assert service.log_in(user, NEW)[1].status_code == 200
    answer = service.client().post(RESET, data=form(user, shown["code"]))
    assert (answer.status_code, answer.get_json()) == (400, WRONG)


@pytest.mark.parametrize("missing", ["email", "code", "new_password"])
def test_reset_without_a_field_is_refused(build: Build, missing: str) -> None:
    """A 400 names the missing field."""
    user = stored_user()
    data = form(user, issue_code(user).code)
    client = build("session_db_auth").client()
    for given in (
        data | {missing: ""},
        {k: v for k, v in data.items() if k != missing},
    ):
        answer = client.post(RESET, data=given)
        assert answer.status_code == 400
        assert answer.get_json() == {"error": f"{missing} missing"}


@pytest.mark.parametrize("auth_type", [None, "basic_auth", "session_auth"])
def test_reset_works_with_each_mechanism(
    build: Build, auth_type: str | None
) -> None:
    """The code is the user's only credential."""
    user = stored_user()
    answer = (
        build(auth_type)
        .client()
        .post(RESET, data=form(user, issue_code(user).code.lower()))
    )
    assert answer.status_code == 200
    stored = User.get(user.id)
    assert stored is not None
    assert stored.is_valid_password(NEW)


def test_wrong_email_and_wrong_code_get_same_error(
    build: Build, set_clock: SetClock
) -> None:
    """An expired code and a replaced code get it too."""
    user, other = stored_user(), stored_user()
    client = build("session_db_auth").client()
    first, second = issue_code(user), issue_code(user)
    headers = set()
    for data in (
        form(user, first.code),
        form(other, second.code),
        form(user, "x"),
        form(user, second.code[:-1]),
        form(user, "'; --\0" * 1000, "short"),
        form(User(email="unknown@example.com"), second.code),
        form(User(email="\x00"), second.code),
        form(User(email=user.id), second.code),
    ):
        answer = client.post(RESET, data=data)
        assert (answer.status_code, answer.get_json()) == (400, WRONG)
        headers.add(tuple(sorted(answer.headers.keys())))
    assert len(headers) == 1
    answer = client.post(RESET, data=form(user, second.code, "short"))
    assert answer.get_json() == {
        "error": "new_password must have at least 8 characters"
    }
    answer = client.post(RESET, data=form(user, second.code, "x" * 4097))
    assert answer.get_json() == {
        "error": "new_password must have at most 4096 bytes"
    }
    set_clock.advance(3601)
    answer = client.post(RESET, data=form(user, second.code))
    assert (answer.status_code, answer.get_json()) == (400, WRONG)


def test_wrong_reset_codes_are_throttled(
    build: Build, set_clock: SetClock
) -> None:
    """A right code has to wait as well."""
    service = build("session_db_auth", THROTTLE="on")
    user = stored_user()
    code = issue_code(user).code
    client = service.client()
    for _ in range(4):
        assert client.post(RESET, data=form(user, "x")).status_code == 400
    answer = client.post(RESET, data=form(user, code))
    assert answer.status_code == 429
    assert answer.headers["Retry-After"] == "1"
    set_clock.advance(2)
    assert client.post(RESET, data=form(user, code)).status_code == 200


def test_wrong_reset_codes_do_not_delay_login(
    build: Build, set_clock: SetClock
) -> None:
    """Reset codes have a counter of their own, even on the same network."""
    service = build("session_db_auth", THROTTLE="on")
    user, client = stored_user(), service.client()
    for _ in range(4):
        assert client.post(RESET, data=form(user, "x")).status_code == 400
    assert client.post(RESET, data=form(user, "x")).status_code == 429
    assert service.log_in(user)[1].status_code == 200


def test_unlocking_user_resets_failures_of_reset_codes(
    build: Build, set_clock: SetClock
) -> None:
    """After an admin unlocks the user, a reset is not throttled."""
    service = build("session_db_auth", THROTTLE="on")
    user, client = stored_user(), service.client()
    admin = service.client_for(stored_user("admin"))
    for _ in range(4):
        client.post(RESET, data=form(user, "x"))
    assert client.post(RESET, data=form(user, "x")).status_code == 429
    unlocked = admin.delete(f"{USERS}/{user.id}/failures")
    assert unlocked.status_code == 200
    assert client.post(RESET, data=form(user, "x")).status_code == 400


def test_failures_older_than_an_hour_have_no_time(
    build: Build, set_clock: SetClock
) -> None:
    """Once no failure counts, the time of the last one is not reported."""
    service = build("session_db_auth", THROTTLE="on")
    user = stored_user()
    service.log_in(user, "wrong")
    set_clock.advance(FAILURE_MEMORY.total_seconds() + 1)
    assert failures_for_user(user) == (0, None, 0)


@pytest.mark.parametrize(
    "password", ["a7" * 2048 + "a", "\u00e9" * 2049, "\u0301" * 1_000_000]
)
def test_new_password_has_a_bound_at_each_way_in(
    build: Build, password: str
) -> None:
    """It is refused before it is normalized, and the code stays valid."""
    service = build("session_db_auth")
    user = stored_user()
    data = form(user, issue_code(user).code, password)
    refusals = [
        service.client_for(stored_user("admin")).post(
            USERS, json={"email": "a@example.com", "password": password}
        ),
        service.client_for(user).put(
            f"{ME}/password",
            json={"current_password": PASSWORD, "new_password": password},
        ),
        service.client().post(RESET, json=data),
        service.client().post(RESET, data=data),
    ]
    for answer in refusals:
        assert answer.status_code in (400, 413)
        assert "4096" in answer.text or "too large" in answer.text.lower()
    answer = service.client().post(RESET, data=data | {"new_password": NEW})
    assert answer.status_code == 200
