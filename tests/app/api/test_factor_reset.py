#!/usr/bin/env python3
"""Admins see the second factors of users, and reset them by a code."""

import pytest
from flask.testing import FlaskClient

from tests.app.api.conftest import Build
from tests.app.api.factor_owner import FACTORS, Owner, facts, signed_in
from tests.app.api.service import NEW, PASSWORD, Service, basic, stored_user
from tests.clocks import SetClock
from tests.serving import ME, USERS
from tests.threads import at_once
from vestibule.accounts.credentials import change_password
from vestibule.accounts.permissions import LOCAL, Actor
from vestibule.accounts.recovery import issue_factor_reset
from vestibule.db import factors
from vestibule.db.models.user import User
from vestibule.sessions.facts import level_of

RESET = "/api/v1/auth_session/factor-reset"
REFUSED = {
    "error": "resetting factors needs your own second factor, and another user"
}
WRONG_CODE = {"error": "wrong or expired code"}


pytestmark = pytest.mark.usefixtures("with_key")


@pytest.fixture
def chief(service: Service, owner: Owner, set_clock: SetClock) -> FlaskClient:
    """Return the client of an admin who gave a second factor."""
    admin = Owner(stored_user("admin"))
    set_clock.advance(30)
    return signed_in(service, admin)


def body_of(user: User, code: str, password: str = PASSWORD) -> dict[str, str]:
    """Return the request that removes a user's factors."""
    return {"email": str(user.email), "password": password, "code": code}


def test_admin_sees_factors_and_never_a_seed(
    chief: FlaskClient, owner: Owner
) -> None:
    """Kind, name and last use, as the user sees them."""
    answer = chief.get(f"{USERS}/{owner.user.id}/factors")
    (shown,) = answer.get_json()["factors"]
    assert (shown["kind"], shown["name"]) == ("totp", "phone")
    assert shown["last_used_at"] is not None
    assert answer.get_json()["recovery_codes"] == 10
    (stored,) = [f for f in factors.of_user(owner.user.id) if f.secret]
    for secret in (owner.seed.hex(), stored.secret, *owner.recovery):
        assert str(secret) not in answer.text


def test_code_and_password_remove_all_factors(
    service: Service, chief: FlaskClient, owner: Owner
) -> None:
    """All other sessions end; the new one has level 1 and does all."""
    before = signed_in(service, owner)
    issued = chief.post(f"{USERS}/{owner.user.id}/factor-reset").get_json()
    client = service.client()
    answer = client.post(RESET, json=body_of(owner.user, issued["code"]))
    assert answer.get_json() == owner.user.to_json()
    assert before.get(ME).status_code == 403
    assert client.get(FACTORS).get_json() == {
        "factors": [],
        "recovery_codes": 0,
    }
    assert level_of(facts(service, client)) == 1
    assert service.log_in(owner.user)[1].status_code == 200


def test_link_has_the_code_in_its_fragment(
    build: Build, owner: Owner, set_clock: SetClock
) -> None:
    """No server gets a fragment."""
    service = build("session_db_auth", WEB_PAGES="on")
    admin = Owner(stored_user("admin"))
    set_clock.advance(30)
    chief = signed_in(service, admin)
    issued = chief.post(f"{USERS}/{owner.user.id}/factor-reset").get_json()
    page, _, fragment = issued["link"].partition("#")
    assert page.endswith("/account/factor-reset")
    assert f"code={issued['code']}" in fragment


@pytest.mark.parametrize("password", ["wrong", ""])
def test_code_alone_changes_nothing(
    service: Service, owner: Owner, password: str
) -> None:
    """The admin who made the code does not know the password."""
    code = issue_factor_reset(owner.user, actor=LOCAL).code
    answer = service.client().post(
        RESET, json=body_of(owner.user, code, password)
    )
    assert answer.status_code == (401 if password else 400)
    assert factors.has_any(owner.user.id)


def test_wrong_and_foreign_codes_are_refused(
    service: Service, owner: Owner
) -> None:
    """The code of another user does nothing, with the right password."""
    other = issue_factor_reset(stored_user(), actor=LOCAL).code
    for code in (other, "WRONG", "x" * 5000, "\x00"):
        answer = service.client().post(RESET, json=body_of(owner.user, code))
        assert (answer.status_code, answer.get_json()) == (400, WRONG_CODE)
    assert factors.has_any(owner.user.id)


def test_wrong_codes_are_throttled(build: Build, owner: Owner) -> None:
    """The password is known, and the code is not guessed."""
    service = build("session_db_auth", THROTTLE="on")
    answers = [
        service.client().post(RESET, json=body_of(owner.user, "WRONG"))
        for _ in range(7)
    ]
    assert answers[-1].status_code == 429


def test_code_works_once_and_for_an_hour(
    service: Service, owner: Owner, set_clock: SetClock
) -> None:
    """A newer code ends the one before."""
    first = issue_factor_reset(owner.user, actor=LOCAL).code
    second = issue_factor_reset(owner.user, actor=LOCAL).code
    client = service.client()
    assert client.post(RESET, json=body_of(owner.user, first)).status_code == (
        400
    )
    set_clock.advance(3600)
    late = client.post(RESET, json=body_of(owner.user, second))
    assert late.get_json() == WRONG_CODE
    third = issue_factor_reset(owner.user, actor=LOCAL).code
    body = body_of(owner.user, third)
    assert client.post(RESET, json=body).status_code == 200
    assert client.post(RESET, json=body).get_json() == WRONG_CODE


def test_one_of_two_requests_at_once_succeeds(
    service: Service, owner: Owner
) -> None:
    """The use of the code is one transaction."""
    code = issue_factor_reset(owner.user, actor=LOCAL).code

    def use(_: int) -> int:
        """Send the code; return the status."""
        body = body_of(owner.user, code)
        return service.client().post(RESET, json=body).status_code

    assert sorted(at_once(2, use)) == [200, 400]


def test_admin_without_a_second_factor_is_refused(
    service: Service, owner: Owner
) -> None:
    """A stolen password of an admin removes the factors of no user."""
    plain = service.client_for(stored_user("admin"))
    answer = plain.post(f"{USERS}/{owner.user.id}/factor-reset")
    assert (answer.status_code, answer.get_json()) == (403, REFUSED)


def test_admin_does_not_reset_own_factors(
    service: Service, set_clock: SetClock
) -> None:
    """Another admin does."""
    admin = Owner(stored_user("admin"))
    set_clock.advance(30)
    answer = signed_in(service, admin).post(
        f"{USERS}/{admin.user.id}/factor-reset"
    )
    assert (answer.status_code, answer.get_json()) == (403, REFUSED)


def test_admin_with_basic_resets_no_factors(
    build: Build, owner: Owner
) -> None:
    """A request with a password has no second factor."""
    client = build("basic_auth").client()
    headers = {"Authorization": basic(stored_user("admin"))}
    path = f"{USERS}/{owner.user.id}/factor-reset"
    answer = client.post(path, headers=headers)
    assert (answer.status_code, answer.get_json()) == (403, REFUSED)


def test_old_authentication_of_the_admin_is_refused(
    chief: FlaskClient, owner: Owner, set_clock: SetClock
) -> None:
    """The second factor of the session is not enough."""
    set_clock.advance(3600)
    answer = chief.post(f"{USERS}/{owner.user.id}/factor-reset")
    assert answer.get_json() == {"error": "Re-authentication required"}


def test_new_password_ends_the_code(service: Service, owner: Owner) -> None:
    """It ends all links and codes of the user."""
    code = issue_factor_reset(owner.user, actor=LOCAL).code
    change_password(owner.user, PASSWORD, NEW, actor=Actor(owner.user.id))
    answer = service.client().post(RESET, json=body_of(owner.user, code, NEW))
    assert answer.get_json() == WRONG_CODE
