#!/usr/bin/env python3
"""`REQUIRE_MFA`: who must have a second factor, and until when."""

import base64
from datetime import timedelta
from threading import Thread
from urllib.parse import urlencode

import pytest
from flask.testing import FlaskClient

from tests.app.api.conftest import Build
from tests.app.api.factor_owner import (
    FACTORS,
    LOGOUT,
    ME,
    VERIFY,
    Owner,
    signed_in,
)
from tests.app.api.service import PASSWORD, Service, session_id_of, stored_user
from tests.clocks import SetClock
from vestibule.accounts import totp
from vestibule.accounts.permissions import Actor
from vestibule.accounts.second_factors import remove_all_factors
from vestibule.checks.startup import check_settings
from vestibule.core import clock
from vestibule.core.crypto import new_key
from vestibule.core.errors import ConfigurationError
from vestibule.db import factors
from vestibule.db.models.user import Role, User
from vestibule.mechanisms import mechanism_for

REFUSED = (403, {"error": "a second factor is required"})
PAGE_LOAD = {"Sec-Fetch-Mode": "navigate"}
DAY = 86_400


@pytest.fixture(autouse=True)
def with_key(monkeypatch: pytest.MonkeyPatch, set_clock: SetClock) -> None:
    """Set a key for secrets, and stop the clock."""
    monkeypatch.setenv("SECRETS_KEY", new_key())


def admin() -> User:
    """Return a stored admin."""
    return stored_user(Role.ADMIN.value)


def answer(client: FlaskClient, path: str = ME) -> tuple[int, object]:
    """Return status and body of the response to a GET."""
    response = client.get(path)
    return response.status_code, response.get_json()


def enroll(client: FlaskClient) -> str:
    """Set up an app over the API; return its id."""
    new = client.post(FACTORS, json={"name": "phone"}).get_json()
    seed = base64.b32decode(new["key"].replace(" ", ""))
    code = totp.hotp(seed, totp.step_at(clock.now()))
    confirmed = client.post(
        f"{FACTORS}/{new['id']}/confirm", json={"code": code}
    )
    assert confirmed.status_code == 200, confirmed.text
    return str(new["id"])


@pytest.mark.parametrize("mechanism", ["session_auth", "session_db_auth"])
def test_grace_ends_and_then_only_enrolment_is_open(
    build: Build, mechanism: str, set_clock: SetClock
) -> None:
    """A user has 14 days from the first request; then must set one up."""
    service = build(mechanism, REQUIRE_MFA="all")
    client = service.client_for(stored_user())
    for path in (ME, VERIFY):
        assert answer(client, path)[0] == 200
    set_clock.advance(14 * DAY - 1)
    for path in (ME, VERIFY, ME):
        assert answer(client, path)[0] == 200
    set_clock.advance(1)
    assert answer(client) == REFUSED
    assert answer(client, VERIFY)[0] == 401
    assert answer(client, FACTORS)[0] == 200
    refreshed = client.post(
        "/api/v1/auth_session/refresh", data={"password": PASSWORD}
    )
    assert refreshed.status_code == 200
    enroll(client)
    assert answer(client)[0] == answer(client, VERIFY)[0] == 200


def test_a_new_sign_in_does_not_begin_the_grace_again(
    build: Build, set_clock: SetClock
) -> None:
    """The stored moment counts, whichever session."""
    service, user = build("session_db_auth", REQUIRE_MFA="all"), stored_user()
    assert answer(service.client_for(user))[0] == 200
    set_clock.advance(14 * DAY)
    client = service.client_for(user)
    assert answer(client) == REFUSED
    assert client.delete(LOGOUT).status_code == 200


def test_admins_alone_are_asked_and_at_once_without_grace(
    build: Build,
) -> None:
    """`admins` leaves members alone, and an admin has no days of 0."""
    service = build("session_db_auth", REQUIRE_MFA="admins", MFA_GRACE="0")
    member, boss = stored_user(), admin()
    assert answer(service.client_for(member))[0] == 200
    assert answer(service.client_for(boss)) == REFUSED
    member.role = Role.ADMIN.value
    client = service.client_for(member)
    member.save()
    assert answer(client) == REFUSED


def test_hardened_profile_asks_admins_at_once(build: Build) -> None:
    """Its defaults are `admins` and no grace."""
    service = build(
        "session_db_auth",
        SECURITY_PROFILE="hardened",
        SESSION_NAME="__Host-id",
    )
    assert answer(service.client_for(admin())) == REFUSED


def test_session_without_the_factor_of_its_user_is_refused_too(
    build: Build, set_clock: SetClock
) -> None:
    """What counts is the session's level: a stolen old one stays closed."""
    service = build("session_db_auth", REQUIRE_MFA="all", MFA_GRACE="0")
    user = stored_user()
    old, new = service.client_for(user), service.client_for(user)
    enroll(new)
    assert answer(new)[0] == 200
    assert answer(old) == REFUSED


def test_page_load_is_led_to_the_page_that_sets_a_factor_up(
    build: Build,
) -> None:
    """A program gets 401 from the same session."""
    service = build("session_db_auth", REQUIRE_MFA="all", MFA_GRACE="0")
    client = service.client_for(stored_user())
    led = client.get(VERIFY, headers=PAGE_LOAD)
    assert led.status_code == 302
    assert led.headers["Location"].startswith("/account/factors")
    assert "Remote-User" not in led.headers
    assert client.get(VERIFY).status_code == 401


def test_last_factor_stays_while_one_is_required(
    build: Build, set_clock: SetClock
) -> None:
    """A second one may go, the last not; an admin may reset it."""
    service = build("session_db_auth", REQUIRE_MFA="all", MFA_GRACE="0")
    user = stored_user()
    client = service.client_for(user)
    first = enroll(client)
    refused = client.delete(f"{FACTORS}/{first}")
    assert (refused.status_code, refused.get_json()) == (
        409,
        {"error": "the last second factor cannot be removed"},
    )
    second = enroll(client)
    assert client.delete(f"{FACTORS}/{first}").status_code == 200
    assert client.delete(f"{FACTORS}/{second}").status_code == 409
    assert factors.count_recovery_codes(user.id) == 10
    assert remove_all_factors(user, actor=Actor()) == 1


def test_two_removals_at_once_leave_one_factor(
    build: Build, set_clock: SetClock
) -> None:
    """The last factor is found within the transaction that removes."""
    service = build("session_db_auth", REQUIRE_MFA="all", MFA_GRACE="0")
    user = stored_user()
    client = service.client_for(user)
    apps = [enroll(client), enroll(client)]
    session_id = session_id_of(client)

    def remove(app: str) -> None:
        """Remove an app with the same session."""
        service.client_with_session(session_id).delete(f"{FACTORS}/{app}")

    threads = [Thread(target=remove, args=(app,)) for app in apps]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(10)
    assert factors.count_apps(user.id) == 1


def test_removal_is_free_without_the_requirement(
    service: Service, set_clock: SetClock
) -> None:
    """Without REQUIRE_MFA the last factor may go."""
    client = service.client_for(stored_user())
    app = enroll(client)
    assert client.delete(f"{FACTORS}/{app}").status_code == 200


@pytest.mark.parametrize(
    ("mechanism", "key"), [("basic_auth", True), ("session_db_auth", False)]
)
def test_requirement_that_no_user_can_meet_is_refused_at_start(
    monkeypatch: pytest.MonkeyPatch, mechanism: str, key: bool
) -> None:
    """Without sessions or without a key there are no second factors."""
    monkeypatch.setenv("REQUIRE_MFA", "all")
    if not key:
        monkeypatch.delenv("SECRETS_KEY")
    with pytest.raises(ConfigurationError, match="REQUIRE_MFA"):
        check_settings(mechanism_for(mechanism))


def test_account_page_says_until_when(
    build: Build, set_clock: SetClock
) -> None:
    """It names the end of the grace, and the closed pages lead to one."""
    service = build("session_db_auth", REQUIRE_MFA="all", WEB_PAGES="on")
    client = service.client_for(stored_user())
    due = (clock.now() + timedelta(days=14)).isoformat()
    client.get(ME)
    assert due in client.get("/account").text
    set_clock.advance(14 * DAY)
    led = client.get("/account", headers={"Accept": "text/html"})
    back = {"return_to": "/account"}
    assert led.headers["Location"] == f"/account/factors?{urlencode(back)}"
    assert "only this page is open" in client.get("/account/factors").text
    assert client.get("/sign-out").status_code == 200


def test_old_session_of_a_user_with_a_factor_is_asked_for_it(
    build: Build, set_clock: SetClock
) -> None:
    """The page leads back to where the user wanted to go."""
    service = build(
        "session_db_auth", REQUIRE_MFA="all", MFA_GRACE="0", WEB_PAGES="on"
    )
    owner = Owner()
    set_clock.advance(30)
    client = signed_in(service, owner)
    session_id = service.mechanism.create_session(owner.user.id)
    old = service.client_with_session(session_id)
    led = old.get("/account/sessions?a=1", headers={"Accept": "text/html"})
    step_up = "/account/factors/step-up"
    assert led.headers["Location"] == (
        f"{step_up}?level=2&return_to=%2Faccount%2Fsessions%3Fa%3D1"
    )
    form = {"level": "2", "return_to": "/account/sessions?a=1"}
    set_clock.advance(30)
    done = old.post(step_up, data=form | {"code": owner.code()})
    assert done.headers["Location"] == "/account/sessions?a=1"
    assert answer(old)[0] == answer(client)[0] == 200
