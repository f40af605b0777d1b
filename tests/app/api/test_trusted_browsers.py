#!/usr/bin/env python3
"""A browser that its user trusts skips the second step, for 30 days."""

import base64
from collections.abc import Callable

import pytest
from flask.testing import FlaskClient

from tests.app.api.conftest import Build
from tests.app.api.factor_owner import (
    CODES,
    CONTINUE,
    FACTORS,
    ME,
    Owner,
    facts,
    waiting,
)
from tests.app.api.service import NEW, PASSWORD, Service, basic, stored_user
from tests.clocks import SetClock
from tests.serving import LOGIN, SESSIONS
from vestibule.accounts import totp
from vestibule.accounts.credentials import set_password
from vestibule.accounts.permissions import LOCAL
from vestibule.accounts.recovery import issue_code
from vestibule.accounts.revocation import revoke_all
from vestibule.accounts.second_factors import begin_app, confirm_app
from vestibule.accounts.users import disable, enable
from vestibule.core import clock
from vestibule.core.crypto import digest_of
from vestibule.db import browsers
from vestibule.db.browsers import MAX_TRUSTED_BROWSERS, TRUST_LIFETIME
from vestibule.db.engine import database
from vestibule.db.factor_tables import TRUSTED_BROWSERS
from vestibule.db.models.user import User
from vestibule.sessions.facts import amr_of, level_of

TRUST = "vestibule_trust"
DAYS = int(TRUST_LIFETIME.total_seconds())
RESET = "/api/v1/auth_session/reset"
BROWSERS = "/api/v1/auth_session/trusted-browsers"
WAITS = {"error": "second factor required"}


pytestmark = pytest.mark.usefixtures("with_key")


def trusted(service: Service, owner: Owner) -> FlaskClient:
    """Return a client that gave both factors, and is trusted."""
    client = waiting(service, owner)
    body = {"code": owner.code(), "trust": "on"}
    assert client.post(CONTINUE, json=body).status_code == 200
    return client


def log_in(client: FlaskClient, user: User, password: str = PASSWORD) -> int:
    """Log in with the cookies of a client; return the status."""
    form = {"email": str(user.email), "password": password}
    return client.post(LOGIN, data=form).status_code


def test_trusted_browser_skips_the_second_step(
    service: Service, owner: Owner, set_clock: SetClock
) -> None:
    """Another browser does not; it lasts 30 days from the code on."""
    client = trusted(service, owner)
    set_clock.advance(DAYS - 60)
    assert log_in(client, owner.user) == 200
    assert client.get(ME).get_json()["id"] == owner.user.id
    assert log_in(service.client(), owner.user) == 401
    set_clock.advance(61)
    assert log_in(client, owner.user) == 401


def test_trusted_login_has_level_1_and_no_factor(
    service: Service, owner: Owner
) -> None:
    """The facts say what happened, and a token does not claim more."""
    client = trusted(service, owner)
    log_in(client, owner.user)
    found = facts(service, client)
    assert found.methods == ("pwd", "trusted_browser")
    assert (level_of(found), found.second_factor_time) == (1, None)
    assert amr_of(found) == ["pwd"]


def test_trusted_login_changes_no_factors(
    service: Service, owner: Owner, set_clock: SetClock
) -> None:
    """It is never a fresh factor: a code is asked for, as in any browser."""
    client = trusted(service, owner)
    set_clock.advance(60)
    log_in(client, owner.user)
    assert client.delete(f"{FACTORS}/{owner.app_id}").status_code == 403
    assert client.post(CODES).status_code == 403
    client.post(f"{FACTORS}/proof", json={"code": owner.code()})
    assert level_of(facts(service, client)) == 2
    assert client.delete(f"{FACTORS}/{owner.app_id}").status_code == 200


def test_cookie_is_for_this_host_and_its_digest_is_stored(
    service: Service, owner: Owner
) -> None:
    """Scripts cannot read it; 256 bits; 30 days."""
    client = waiting(service, owner)
    answer = client.post(CONTINUE, json={"code": owner.code(), "trust": "on"})
    (line,) = [
        each
        for each in answer.headers.getlist("Set-Cookie")
        if each.startswith(TRUST)
    ]
    assert f"Max-Age={DAYS}" in line
    assert "HttpOnly" in line
    assert "SameSite=Lax" in line
    secret = line.partition("=")[2].partition(";")[0]
    assert len(secret) >= 43
    ((row,),) = database().fetch_all(
        TRUSTED_BROWSERS.select().with_only_columns(
            TRUSTED_BROWSERS.c.cookie_digest
        )
    )
    assert row == digest_of(secret)


@pytest.mark.parametrize("body", [{}, {"trust": "off"}, {"trust": "yes"}])
def test_browser_is_trusted_only_on_request(
    service: Service, owner: Owner, body: dict[str, str]
) -> None:
    """Without it there is no cookie."""
    client = waiting(service, owner)
    client.post(CONTINUE, json={"code": owner.code(), **body})
    assert client.get_cookie(TRUST) is None
    assert log_in(client, owner.user) == 401


def test_recovery_code_trusts_no_browser(
    service: Service, owner: Owner
) -> None:
    """The phone may be in other hands."""
    client = waiting(service, owner)
    body = {"recovery_code": owner.recovery[0], "trust": "on"}
    assert client.post(CONTINUE, json=body).status_code == 200
    assert client.get_cookie(TRUST) is None


def _new_app(owner: Owner) -> None:
    """Add a second app."""
    app = begin_app(owner.user, "tablet")
    seed = base64.b32decode(app.key.replace(" ", ""))
    code = totp.hotp(seed, totp.step_at(clock.now()))
    confirm_app(owner.user, app.factor.id, code)


def _reset(owner: Owner, service: Service) -> None:
    """Set a new password by the code of an admin."""
    form = {
        "email": str(owner.user.email),
        "code": issue_code(owner.user).code,
        "new_password": PASSWORD,
    }
    assert service.client().post(RESET, data=form).status_code == 200


def _disable(owner: Owner, service: Service) -> None:
    """Disable the user, and enable them again."""
    store = service.mechanism.store
    stored_user("admin")
    disable(owner.user, store, actor=LOCAL)
    enable(owner.user, store, actor=LOCAL)


ENDS: dict[str, Callable[[Owner, Service], object]] = {
    "password set by a command": lambda o, s: set_password(o.user, NEW),
    "password reset": _reset,
    "another app": lambda o, s: _new_app(o),
    "end of all sessions": lambda o, s: revoke_all(
        s.mechanism.store, o.user.id, LOCAL
    ),
    "end of the sessions of all users": lambda o, s: revoke_all(
        s.mechanism.store, None, LOCAL
    ),
    "disabled and enabled": _disable,
}


@pytest.mark.parametrize("end", ENDS)
def test_trust_ends_with(service: Service, owner: Owner, end: str) -> None:
    """Each change that may follow a theft asks for the code again."""
    client = trusted(service, owner)
    ENDS[end](owner, service)
    password = NEW if "command" in end else PASSWORD
    assert log_in(client, owner.user, password) == 401


def test_trust_ends_with_the_end_of_other_sessions(
    service: Service, owner: Owner
) -> None:
    """Also of the browser that asks for it."""
    client = trusted(service, owner)
    assert client.delete(SESSIONS).status_code == 200
    assert log_in(client, owner.user) == 401


def test_trust_ends_with_the_removal_of_a_factor_and_a_new_one(
    service: Service, owner: Owner, set_clock: SetClock
) -> None:
    """The new app is another one."""
    client = trusted(service, owner)
    assert client.delete(f"{FACTORS}/{owner.app_id}").status_code == 200
    Owner(owner.user)
    assert log_in(client, owner.user) == 401


def test_cookie_of_one_user_is_worth_nothing_to_another(
    service: Service, owner: Owner, set_clock: SetClock
) -> None:
    """Nor does a planted or a shortened cookie count."""
    client = trusted(service, owner)
    other = Owner(stored_user())
    assert log_in(client, other.user) == 401
    cookie = client.get_cookie(TRUST)
    assert cookie is not None
    for value in ("", "x", cookie.value[:-1], digest_of(cookie.value)):
        forged = service.client()
        forged.set_cookie(TRUST, value)
        assert log_in(forged, owner.user) == 401, value


def test_wrong_password_is_refused_in_a_trusted_browser(
    service: Service, owner: Owner
) -> None:
    """The cookie is no way in."""
    client = trusted(service, owner)
    client.delete("/api/v1/auth_session/logout")
    form = {"email": str(owner.user.email), "password": "wrong"}
    answer = client.post(LOGIN, data=form)
    assert answer.get_json() == {"error": "wrong password"}
    assert client.get(ME).status_code in (401, 403)


def test_clock_set_back_ends_the_trust_meanwhile(
    service: Service, owner: Owner, set_clock: SetClock
) -> None:
    """A trust from the future does not count."""
    client = trusted(service, owner)
    set_clock.advance(-3600)
    assert log_in(client, owner.user) == 401


def test_newest_browsers_are_kept(service: Service, owner: Owner) -> None:
    """One more than the limit ends the oldest."""
    for number in range(MAX_TRUSTED_BROWSERS + 1):
        browsers.trust(
            owner.user.id,
            f"digest{number}",
            "binding",
            browsers.new_browser(
                clock.now().replace(microsecond=number), None, None
            ),
        )
    found = browsers.trusted_by_user(owner.user.id, "binding", clock.now())
    assert len(found) == MAX_TRUSTED_BROWSERS
    assert not browsers.is_trusted(
        owner.user.id, "digest0", "binding", clock.now()
    )


def test_purge_deletes_what_is_over(owner: Owner, set_clock: SetClock) -> None:
    """The sweep calls it."""
    browser = browsers.new_browser(clock.now(), None, None)
    browsers.trust(owner.user.id, "digest", "binding", browser)
    set_clock.advance(DAYS - 1)
    assert browsers.purge_trusted(clock.now()) == 0
    set_clock.advance(1)
    assert browsers.purge_trusted(clock.now()) == 1


def test_hardened_profile_trusts_no_browser(
    build: Build, owner: Owner, monkeypatch: pytest.MonkeyPatch
) -> None:
    """NIST SP 800-63B-4 knows no such trust; one from before ends."""
    service = build("session_db_auth")
    client = trusted(service, owner)
    monkeypatch.setenv("SECURITY_PROFILE", "hardened")
    assert log_in(client, owner.user) == 401


def test_basic_stays_refused(
    build: Build, service: Service, owner: Owner
) -> None:
    """A trusted browser does not make a password enough for Basic."""
    client = trusted(service, owner)
    cookie = client.get_cookie(TRUST)
    assert cookie is not None
    other = build("basic_auth").client()
    other.set_cookie(TRUST, cookie.value)
    headers = {"Authorization": basic(owner.user)}
    assert other.get(ME, headers=headers).status_code == 403


def test_reset_code_page_asks_for_the_factor(
    build: Build, owner: Owner
) -> None:
    """A new password is not the one that the trust is bound to."""
    service = build("session_db_auth", WEB_PAGES="on")
    client = trusted(service, owner)
    form = {
        "email": str(owner.user.email),
        "code": issue_code(owner.user).code,
        "new_password": NEW,
    }
    answer = client.post("/reset", data=form)
    assert answer.headers["Location"].endswith("/account/second-factor")
