#!/usr/bin/env python3
"""ASVS 6.3.3, 6.4.3, 6.4.4 and 6.5: second factors and their codes."""

import base64
import secrets

import pytest

from tests.app.api.conftest import Build
from tests.app.api.factor_owner import (
    CONTINUE,
    ME,
    Owner,
    facts,
    signed_in,
    waiting,
)
from tests.app.api.service import NEW, PASSWORD, Service, basic, stored_user
from tests.clocks import SetClock
from tests.serving import LOGIN, USERS
from vestibule.accounts import second_factors, totp
from vestibule.accounts.password_reset import issue_code
from vestibule.accounts.second_factors import (
    RECOVERY_CODES,
    begin_app,
    check_second_factor,
    replace_recovery_codes,
)
from vestibule.core.digest import digest_of_code
from vestibule.core.encryption import new_key
from vestibule.core.errors import Throttled, WrongSecondFactor
from vestibule.db import factors
from vestibule.db.engine import database
from vestibule.db.tables import FACTORS
from vestibule.db.tables import RECOVERY_CODES as CODES
from vestibule.sessions.facts import level_of

RESET = "/api/v1/auth_session/reset"
FACTOR_RESET = "/api/v1/auth_session/factor-reset"


@pytest.fixture
def service(
    build: Build, monkeypatch: pytest.MonkeyPatch, set_clock: SetClock
) -> Service:
    """Return a service that can store secrets; the clock stands still."""
    monkeypatch.setenv("SECRETS_KEY", new_key())
    return build("session_db_auth")


@pytest.fixture
def owner(service: Service, set_clock: SetClock) -> Owner:
    """Return a user with an app, whose next code is not used yet."""
    made = Owner()
    set_clock.advance(30)
    return made


def test_v6_3_3_two_factors_are_needed(
    service: Service, build: Build, owner: Owner
) -> None:
    """The password alone opens nothing, by a form, by JSON or by Basic."""
    client = waiting(service, owner)
    assert client.get(ME).status_code == 401
    body = {"email": owner.user.email, "password": PASSWORD}
    assert service.client().post(LOGIN, json=body).status_code == 401
    answer = client.post(CONTINUE, json={"code": owner.code()})
    assert answer.status_code == 200
    assert level_of(facts(service, client)) == 2
    other = build("basic_auth").client()
    headers = {"Authorization": basic(owner.user)}
    assert other.get(ME, headers=headers).status_code == 403


def test_v6_4_3_reset_does_not_skip_the_second_factor(
    service: Service, owner: Owner
) -> None:
    """After a new password the code is asked for as before."""
    form = {
        "email": owner.user.email,
        "code": issue_code(owner.user).code,
        "new_password": NEW,
    }
    assert service.client().post(RESET, data=form).status_code == 200
    _, answer = service.log_in(owner.user, NEW)
    assert answer.get_json() == {"error": "second factor required"}


def test_v6_4_4_lost_factor_needs_a_proof_of_identity(
    service: Service, owner: Owner, set_clock: SetClock
) -> None:
    """An admin with two factors vouches, and the user gives the password."""
    path = f"{USERS}/{owner.user.id}/factor-reset"
    plain = service.client_for(stored_user("admin"))
    assert plain.post(path).status_code == 403
    admin = Owner(stored_user("admin"))
    set_clock.advance(30)
    code = signed_in(service, admin).post(path).get_json()["code"]
    body = {"email": owner.user.email, "password": "wrong", "code": code}
    client = service.client()
    assert client.post(FACTOR_RESET, json=body).status_code == 401
    assert factors.has_any(owner.user.id)
    body["password"] = PASSWORD
    assert client.post(FACTOR_RESET, json=body).status_code == 200
    assert not factors.has_any(owner.user.id)


def test_v6_5_1_codes_work_once(service: Service, owner: Owner) -> None:
    """Those of apps, and recovery codes."""
    code, recovery = owner.code(), owner.recovery[0]
    for given in ({"code": code}, {"recovery_code": recovery}):
        client = waiting(service, owner)
        assert client.post(CONTINUE, json=given).status_code == 200
        again = waiting(service, owner)
        assert again.post(CONTINUE, json=given).status_code == 401


def test_v6_5_2_recovery_codes_are_stored_as_digests(owner: Owner) -> None:
    """They have 120 bits, so that SHA-256 suffices; 112 is the limit."""
    rows = database().fetch_all(CODES.select())
    assert {row.code_digest for row in rows} == {
        digest_of_code(code) for code in owner.recovery
    }
    for code in owner.recovery:
        # Five bits in each of Crockford's characters.
        assert 5 * len(code.replace("-", "")) >= 112


def test_v6_5_3_seeds_and_codes_are_from_the_systems_source(
    owner: Owner, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A changed source changes both; the stored seed is encrypted."""
    asked: list[int] = []
    real = secrets.token_bytes

    def counted(number: int) -> bytes:
        """Count the bytes that are asked for."""
        asked.append(number)
        return real(number)

    monkeypatch.setattr(secrets, "token_bytes", counted)
    app = begin_app(owner.user, "second")
    assert totp.SEED_BYTES in asked
    assert len(base64.b32decode(app.key.replace(" ", ""))) == 20
    first = replace_recovery_codes(owner.user)
    second = replace_recovery_codes(owner.user)
    assert len({*first, *second}) == 2 * RECOVERY_CODES
    for row in database().fetch_all(FACTORS.select()):
        assert owner.seed.hex() not in str(row.secret)


def test_v6_5_4_codes_cannot_be_guessed(owner: Owner) -> None:
    """Recovery codes have more than 20 bits; tries are few."""
    assert len(owner.recovery[0].replace("-", "")) * 5 == 120
    wrong = 0
    for _ in range(second_factors.FREE_FACTOR_FAILURES + 5):
        with pytest.raises((WrongSecondFactor, Throttled)) as refusal:
            check_second_factor(owner.user, "000000")
        wrong += refusal.type is WrongSecondFactor
    assert wrong == second_factors.FREE_FACTOR_FAILURES + 1


def test_v6_5_5_app_codes_live_for_a_step_of_30_seconds(
    owner: Owner, monkeypatch: pytest.MonkeyPatch, set_clock: SetClock
) -> None:
    """Under `hardened` no code of a later step counts."""
    monkeypatch.setenv("SECURITY_PROFILE", "hardened")
    assert totp.STEP_SECONDS == 30
    with pytest.raises(WrongSecondFactor):
        check_second_factor(owner.user, owner.code(1))
    code = owner.code()
    set_clock.advance(2 * totp.STEP_SECONDS)
    with pytest.raises(WrongSecondFactor):
        check_second_factor(owner.user, code)
    check_second_factor(owner.user, owner.code())
