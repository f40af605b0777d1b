#!/usr/bin/env python3
"""ASVS 6.3.3, 6.4.3, 6.4.4, 6.5 and 7.5.1: second factors and codes."""

import base64
import re
import secrets
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest

from tests.app.api.conftest import Build
from tests.app.api.factor_owner import CODES as CODES_PATH
from tests.app.api.factor_owner import (
    CONTINUE,
    FACTORS,
    LOGOUT,
    ME,
    VERIFY,
    Owner,
    facts,
    signed_in,
    waiting,
)
from tests.app.api.matrix import routes
from tests.app.api.service import NEW, PASSWORD, Service, basic, stored_user
from tests.asvs.page import block
from tests.clocks import SetClock
from tests.serving import LOGIN, REFRESH, USERS
from tests.threads import at_once
from vestibule.accounts import second_factors, totp
from vestibule.accounts.recovery import issue_code
from vestibule.accounts.second_factors import (
    RECOVERY_CODES,
    begin_app,
    check_second_factor,
    replace_recovery_codes,
)
from vestibule.core import clock
from vestibule.core.crypto import digest_of_code, new_key
from vestibule.core.errors import Throttled, WrongSecondFactor
from vestibule.db import factor_tables, factors
from vestibule.db.engine import database
from vestibule.sessions.facts import level_of

RESET = "/api/v1/auth_session/reset"
FACTOR_RESET = "/api/v1/auth_session/factor-reset"
#: What a session may open, below its path, if it needs a second factor.
ENROLMENT = {
    "factors",
    "factors/<factor_id>",
    "factors/<factor_id>/confirm",
    "factors/passkey",
    "factors/passkey/options",
    "factors/proof",
    "factors/proof/options",
    "recovery-codes",
    "refresh",
}


@pytest.fixture(name="with_key", autouse=True)
def set_key(monkeypatch: pytest.MonkeyPatch) -> None:
    """Set a key to store secrets with."""
    monkeypatch.setenv("SECRETS_KEY", new_key())


@pytest.fixture
def service(build: Build, set_clock: SetClock) -> Service:
    """Return a service that can store secrets; the clock stands still."""
    return build("session_db_auth", PUBLIC_URL="http://localhost")


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


def test_v6_3_3_requirement_closes_all_but_enrolment(
    build: Build, with_key: None, set_clock: SetClock
) -> None:
    """`REQUIRE_MFA` leaves a password no route but those of factors."""
    service = build("session_db_auth", REQUIRE_MFA="all", MFA_GRACE="0")
    client = service.client_for(stored_user("admin"))
    user, opened = stored_user(), set()
    open_to_all = {line[2] for line in block("authentication")}
    for method, path in sorted(routes()):
        is_api = path.startswith("/api/") and path not in open_to_all
        # The session has to last until the end.
        if not is_api or path == LOGOUT:
            continue
        url = path.replace("<user_id>", user.id)
        url = re.sub("<.*?>", "x", url)
        body = {"password": "wrong"}
        answer = client.open(url, method=method, data=body)
        if answer.get_json() != {"error": "a second factor is required"}:
            opened.add(path.partition("/auth_session/")[2])
    assert opened == ENROLMENT
    assert client.get(VERIFY).status_code == 401
    new = client.post(FACTORS, json={"name": "phone"}).get_json()
    seed = base64.b32decode(new["key"].replace(" ", ""))
    code = totp.hotp(seed, totp.step_at(clock.now()))
    path = f"{FACTORS}/{new['id']}/confirm"
    assert client.post(path, json={"code": code}).status_code == 200
    assert client.get(ME).status_code == client.get(VERIFY).status_code == 200


def test_v6_3_3_hardened_requires_it_of_admins(
    build: Build, with_key: None
) -> None:
    """By its defaults alone, from the first request on."""
    service = build(
        "session_db_auth",
        SECURITY_PROFILE="hardened",
        SESSION_NAME="__Host-id",
    )
    for role, status in (("member", 200), ("admin", 403)):
        client = service.client_for(stored_user(role))
        assert client.get(ME).status_code == status, role


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


def test_v6_4_4_password_alone_removes_no_factor(
    service: Service, set_clock: SetClock
) -> None:
    """Nor does it add one, in a session from before, however recent."""
    user = stored_user()
    client = service.client_for(user)
    owner = Owner(user)
    set_clock.advance(30)
    assert client.post(REFRESH, data={"password": PASSWORD}).status_code == 200
    app = f"{FACTORS}/{owner.app_id}"
    for method, path in (
        ("DELETE", app),
        ("POST", FACTORS),
        ("POST", CODES_PATH),
        ("DELETE", f"{ME}/password"),
    ):
        answer = client.open(path, method=method, json={"name": "x"})
        assert answer.status_code == 403, path
    code = {"code": owner.code()}
    assert client.post(f"{FACTORS}/proof", json=code).status_code == 200
    assert client.delete(app).status_code == 200


def test_v6_5_1_code_sent_at_once_works_once(
    service: Service, owner: Owner
) -> None:
    """Of four requests with the same right code, one signs in."""
    clients = [waiting(service, owner) for _ in range(4)]
    body = {"code": owner.code()}
    found = at_once(
        4, lambda n: clients[n].post(CONTINUE, json=body).status_code
    )
    assert sorted(found) == [200, 401, 401, 401]


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
    rows = database().fetch_all(factor_tables.RECOVERY_CODES.select())
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
    for row in database().fetch_all(factor_tables.FACTORS.select()):
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


def is_accepted(owner: Owner, code: str) -> bool:
    """Return True if an app's code is right now."""
    try:
        check_second_factor(owner.user, code)
    except WrongSecondFactor:
        return False
    return True


@pytest.mark.parametrize("profile", ["contract", "standard", "hardened"])
def test_v6_5_5_app_codes_live_as_documented(
    owner: Owner,
    monkeypatch: pytest.MonkeyPatch,
    set_clock: SetClock,
    profile: str,
) -> None:
    """From the second before a code counts to the one after its end."""
    column = ["contract", "standard", "hardened"].index(profile)
    documented = {
        name: int(seconds[column])
        for name, *seconds in block("code-lifetimes")
    }
    monkeypatch.setenv("SECURITY_PROFILE", profile)
    assert totp.STEP_SECONDS == 30
    step = totp.step_at(clock.now()) + 10
    begin = datetime.fromtimestamp(step * totp.STEP_SECONDS, UTC)
    first = -documented["app-ahead"]
    for second, expected in (
        (first - 1, False),
        (first, True),
        (documented["app"] - 1, True),
        (documented["app"], False),
    ):
        # Each code works once, so each moment has a step of its own.
        set_clock.moment = begin
        code = owner.code()
        set_clock.moment = begin + timedelta(seconds=second)
        assert is_accepted(owner, code) is expected, second
        begin += timedelta(seconds=10 * totp.STEP_SECONDS)


def test_v6_5_8_time_of_the_client_is_ignored(
    service: Service, owner: Owner
) -> None:
    """A header or a field with another time makes no code right."""
    later = owner.code(10)
    moment = clock.now() + timedelta(seconds=300)
    client = waiting(service, owner)
    answer = client.post(
        CONTINUE,
        json={"code": later, "time": moment.isoformat(), "step": "10"},
        headers={"Date": format_datetime(moment, usegmt=True)},
    )
    assert answer.status_code == 401


def test_v7_5_1_fresh_proof_before_factors(
    service: Service, owner: Owner, set_clock: SetClock
) -> None:
    """A session with both factors needs a recent one to change them."""
    client = signed_in(service, owner)
    set_clock.advance(301)
    app = f"{FACTORS}/{owner.app_id}"
    options_path = f"{FACTORS}/passkey/options"
    for method, path in (
        ("DELETE", app),
        ("POST", FACTORS),
        ("POST", CODES_PATH),
        ("POST", options_path),
        ("POST", f"{FACTORS}/passkey"),
    ):
        answer = client.open(path, method=method, json={"name": "x"})
        assert answer.status_code == 403, path
    assert factors.has_any(owner.user.id)
    code = {"code": owner.code()}
    assert client.post(f"{FACTORS}/proof", json=code).status_code == 200
    assert client.delete(app).status_code == 200
