#!/usr/bin/env python3
"""The page that asks for more proof: each proof, for each kind of rule."""

import json
from pathlib import Path

import pytest

from tests.app.api.conftest import Build
from tests.app.api.factor_owner import Owner
from tests.app.api.service import PASSWORD, Service, session_id_of, stored_user
from tests.app.web.browser import Browser, Page, signed_in
from tests.app.web.test_passkey_pages import (
    CONNECT,
    OWN_OPTIONS,
    added,
    options,
)
from tests.clocks import SetClock
from tests.soft_authenticator import UP, SoftAuthenticator
from tests.threads import at_once
from vestibule.accounts.users import disable
from vestibule.core.crypto import new_key
from vestibule.db.models.user import User
from vestibule.sessions.facts import SessionFacts, facts_of_session, level_of

STEP_UP = "/account/factors/step-up"
VERIFY = "/api/v1/auth_session/verify"
RULES = """\
[[rule]]
path = "/second"
level = 2

[[rule]]
path = "/fresh"
fresh = 300

[[rule]]
path = "/phishing"
phishing-resistant = true

[[rule]]
path = "/all"
level = 2
phishing-resistant = true
fresh = 60
"""
#: The query of the step-up page for each path.
ASKED = {
    "/second": {"level": "2"},
    "/fresh": {"fresh": "300"},
    "/phishing": {"phishing-resistant": "on"},
    "/all": {"level": "2", "phishing-resistant": "on", "fresh": "60"},
}


@pytest.fixture
def service(
    build: Build,
    tmp_path: Path,
    set_clock: SetClock,
    monkeypatch: pytest.MonkeyPatch,
) -> Service:
    """Return a service with rules, pages, passkeys and apps."""
    monkeypatch.setenv("SECRETS_KEY", new_key())
    file = tmp_path / "rules.toml"
    file.write_text(RULES)
    return build(
        "session_db_auth",
        WEB_PAGES="on",
        PUBLIC_URL="http://localhost",
        GATE_RULES=str(file),
        TRUSTED_PROXIES="127.0.0.1",
    )


def passes(browser: Browser, path: str) -> bool:
    """Return True if the gate opens `path` to the browser."""
    headers = {
        "X-Forwarded-Host": "localhost",
        "X-Forwarded-Uri": path,
        "X-Forwarded-Method": "GET",
        "X-Forwarded-For": "192.0.2.1",
    }
    return browser.client.get(VERIFY, headers=headers).status_code == 200


def facts(service: Service, browser: Browser) -> SessionFacts:
    """Return the facts of the browser's session."""
    session = service.mechanism.store.find(session_id_of(browser.client))
    assert session is not None
    return facts_of_session(session)


def fields(browser: Browser, path: str) -> set[str]:
    """Return the proofs that the page asks for on the way to `path`."""
    answer = browser.get(STEP_UP, query_string=ASKED[path])
    assert answer.status_code == 200
    has_script = CONNECT in answer.headers["Content-Security-Policy"]
    found = {"code", "password", "passkey"} & Page(answer).fields().keys()
    assert has_script is ("passkey" in found)
    assert ("Confirm with a passkey" in answer.text) is has_script
    return found


def step_up(browser: Browser, path: str, **proof: str) -> int:
    """Send the form; return the status, after checking where it leads."""
    form = ASKED[path] | {"return_to": path} | proof
    answer = browser.post(STEP_UP, form)
    if answer.status_code == 303:
        assert answer.headers["Location"] == path
    return answer.status_code


def without_password(
    service: Service, user: User, device: SoftAuthenticator
) -> Browser:
    """Return the browser of a user who has this passkey and no password."""
    browser = signed_in(service, user)
    added(browser, device)
    assert browser.post("/account/password/remove", {}).status_code == 303
    return browser


def proof_of(browser: Browser, device: SoftAuthenticator) -> str:
    """Return what the script puts into the form."""
    return json.dumps(device.get(options(browser, OWN_OPTIONS, "confirm")))


def old_session_of(
    service: Service, user: User, device: SoftAuthenticator
) -> Browser:
    """Return a browser with a password's session, before the passkey."""
    browser = signed_in(service, user)
    added(signed_in(service, user), device)
    return browser


@pytest.mark.parametrize("path", ASKED)
def test_passkey_steps_up_for_each_rule(
    service: Service, set_clock: SetClock, path: str
) -> None:
    """The session has a new id and the facts, and the page opens."""
    user, device = stored_user(), SoftAuthenticator()
    browser = old_session_of(service, user, device)
    set_clock.advance(301)
    before = session_id_of(browser.client)
    assert not passes(browser, path)
    assert "passkey" in fields(browser, path)
    proof = proof_of(browser, device)
    assert step_up(browser, path, passkey=proof) == 303
    assert passes(browser, path)
    assert session_id_of(browser.client) != before
    found = facts(service, browser)
    assert found.phishing_resistant and level_of(found) == 2


def test_security_key_without_verification_steps_up(
    service: Service, set_clock: SetClock
) -> None:
    """Beside the password it is a second factor that is not phished."""
    user, device = stored_user(), SoftAuthenticator()
    browser = old_session_of(service, user, device)
    device.flags = UP
    proof = proof_of(browser, device)
    assert step_up(browser, "/all", passkey=proof) == 303
    assert passes(browser, "/all")
    assert not facts(service, browser).user_verified


def test_page_offers_the_proofs_that_would_help(
    service: Service, set_clock: SetClock
) -> None:
    """No password for level 2, nothing that can be phished for the last."""
    owner, device = Owner(), SoftAuthenticator()
    browser = Browser(service)
    form = {"email": str(owner.user.email), "password": PASSWORD}
    browser.post("/sign-in", form)
    set_clock.advance(30)
    browser.post("/account/second-factor", {"code": owner.code()})
    set_clock.advance(301)
    assert fields(browser, "/fresh") == {"code", "password"}
    assert fields(browser, "/phishing") == set()
    assert step_up(browser, "/fresh", password=PASSWORD) == 303
    added(browser, device)
    set_clock.advance(301)
    assert fields(browser, "/fresh") == {"code", "password", "passkey"}
    assert step_up(browser, "/fresh", code=owner.code()) == 303
    assert fields(signed_in(service, stored_user()), "/second") == set()
    old = old_session_of(service, stored_user(), SoftAuthenticator())
    assert fields(old, "/second") == {"passkey"}


def test_user_with_a_passkey_alone_gets_fresh(
    service: Service, set_clock: SetClock
) -> None:
    """There is no password to ask for; an empty form says what to do."""
    device = SoftAuthenticator()
    browser = without_password(service, stored_user(), device)
    set_clock.advance(301)
    assert fields(browser, "/fresh") == {"passkey"}
    answer = browser.post(STEP_UP, ASKED["/fresh"])
    assert answer.status_code == 400
    assert "No passkey was used." in answer.text
    assert step_up(browser, "/fresh", password=PASSWORD) == 400
    assert step_up(browser, "/fresh", passkey=proof_of(browser, device)) == 303
    assert passes(browser, "/fresh")


@pytest.mark.parametrize("has_site", [True, False])
def test_user_without_a_passkey_is_told_what_to_do(
    service: Service,
    has_site: bool,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Add one; without `PUBLIC_URL` that is impossible."""
    if not has_site:
        monkeypatch.delenv("PUBLIC_URL")
    browser = signed_in(service, stored_user())
    answer = browser.get(STEP_UP, query_string=ASKED["/phishing"])
    assert ("/account/factors/passkey" in answer.text) is has_site
    assert ("no passkey yet. Add one" in answer.text) is has_site
    assert ("Ask your administrator" in answer.text) is not has_site
    for name in ("code", "password", "passkey"):
        assert step_up(browser, "/phishing", **{name: PASSWORD}) == 400


def test_answers_of_a_passkey_that_are_refused(
    service: Service, set_clock: SetClock
) -> None:
    """Replayed, of another user, for another purpose, unreadable."""
    user, device = stored_user(), SoftAuthenticator()
    browser = old_session_of(service, user, device)
    other_user, other_device = stored_user(), SoftAuthenticator()
    other = old_session_of(service, other_user, other_device)
    before = session_id_of(browser.client)
    login = options(Browser(service), "/account/passkey-options", "sign-in")
    used = proof_of(other, other_device)
    assert step_up(other, "/phishing", passkey=used) == 303
    for wrong in (
        "x",
        "{}",
        "[]",
        "[" * 9_000,
        '{"id": 1, "type": [], "response": {"clientDataJSON": {}}}',
        used,
        # The challenge of one user, the passkey of the other.
        proof_of(browser, other_device),
        proof_of(other, device),
        json.dumps(device.get(login)),
    ):
        assert step_up(browser, "/phishing", passkey=wrong) == 401, wrong[:80]
        assert not passes(browser, "/phishing")
    assert session_id_of(browser.client) == before
    late = proof_of(browser, device)
    set_clock.advance(300)
    assert step_up(browser, "/phishing", passkey=late) == 401
    old = Browser(service)
    assert old.post(STEP_UP, {"passkey": late}).status_code == 303
    assert not passes(old, "/phishing")


def test_proof_that_is_sent_at_once_counts_once(service: Service) -> None:
    """Of four tabs with the same answer, one gets a session that passes."""
    user, device = stored_user(), SoftAuthenticator()
    browser = old_session_of(service, user, device)
    proof, cookie = proof_of(browser, device), session_id_of(browser.client)
    form = ASKED["/phishing"] | {"return_to": "/phishing", "passkey": proof}

    def send(_: int) -> str | None:
        """Send the form from a client with the same cookie."""
        client = service.client_with_session(cookie)
        answer = client.post(STEP_UP, data=form, headers=browser.headers)
        return answer.headers.get("Location")

    assert at_once(4, send).count("/phishing") == 1
    old = service.client_with_session(cookie)
    assert old.get("/api/v1/users/me").status_code == 403


def test_disabled_user_proves_nothing(
    service: Service, set_clock: SetClock
) -> None:
    """The passkey is right; the session has ended, and no one is let in."""
    user, device = stored_user(), SoftAuthenticator()
    browser = old_session_of(service, user, device)
    proof = proof_of(browser, device)
    disable(user, service.mechanism.store)
    form = ASKED["/phishing"] | {"return_to": "/phishing", "passkey": proof}
    answer = browser.post(STEP_UP, form)
    assert answer.headers["Location"].startswith("/sign-in")
    assert not passes(browser, "/phishing")


def test_form_of_another_site_or_account_proves_nothing(
    service: Service,
) -> None:
    """Also with a right answer of the user's own passkey."""
    user, device = stored_user(), SoftAuthenticator()
    browser = old_session_of(service, user, device)
    form = ASKED["/phishing"] | {"passkey": proof_of(browser, device)}
    headers = {"Sec-Fetch-Site": "cross-site"}
    assert browser.post(STEP_UP, form, headers=headers).status_code == 403
    account = {"account": stored_user().id}
    assert browser.post(STEP_UP, form | account).status_code == 409
    assert not passes(browser, "/phishing")


@pytest.mark.parametrize("proof", ["password", "code", "passkey"])
def test_each_proof_confirms_a_change_of_the_account(
    service: Service, set_clock: SetClock, proof: str
) -> None:
    """By the pages and by the API: a new email needs a recent one."""
    owner, device = Owner(), SoftAuthenticator()
    set_clock.advance(30)
    browser = signed_in(service, owner.user)
    browser.post("/account/second-factor", {"code": owner.code()})
    added(browser, device)

    def given() -> dict[str, str]:
        """Return the field of the form with the proof."""
        if proof == "password":
            return {"password": PASSWORD}
        if proof == "code":
            return {"proof_code": owner.code()}
        return {"proof_passkey": proof_of(browser, device)}

    set_clock.advance(301)
    page = "/account/email"
    form = {"email": f"page-{proof}@example.com"}
    assert browser.post(page, form).status_code == 400
    assert browser.post(page, form | given()).status_code == 303
    set_clock.advance(301)
    api, body = "/api/v1/users/me/email", {"email": f"{proof}@example.com"}
    assert browser.client.put(api, json=body).status_code == 403
    sessions = "/api/v1/auth_session"
    if proof == "password":
        answer = browser.client.post(f"{sessions}/refresh", data=given())
    else:
        text = given()[f"proof_{proof}"]
        value = json.loads(text) if proof == "passkey" else text
        path = f"{sessions}/factors/proof"
        answer = browser.client.post(path, json={proof: value})
    assert answer.status_code == 200, answer.text
    assert browser.client.put(api, json=body).status_code == 200


def test_form_of_a_user_without_password_and_proof_says_what_is_missing(
    service: Service, set_clock: SetClock
) -> None:
    """No field of a password is on the page that could have the message."""
    user = stored_user()
    browser = without_password(service, user, SoftAuthenticator())
    set_clock.advance(301)
    answer = browser.post("/account/delete", {})
    assert answer.status_code == 400
    assert "Confirm with a passkey" in Page(answer).text
    assert 'role="alert"' in answer.text
    assert User.get(user.id) is not None
    without = signed_in(service, stored_user())
    set_clock.advance(301)
    shown = without.get("/account/delete")
    assert "Confirm with a passkey" not in shown.text
