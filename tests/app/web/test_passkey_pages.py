#!/usr/bin/env python3
"""The pages of passkeys, with an authenticator in software."""

import json
import re
from html import unescape
from pathlib import Path
from typing import Any

import pytest

from tests.app.api.conftest import Build
from tests.app.api.service import PASSWORD, Service, stored_user
from tests.app.web.browser import Browser, Page
from tests.app.web.factor_pages import Owner, with_key
from tests.clocks import SetClock
from tests.serving import environment, run_python
from tests.soft_authenticator import EDDSA, UP, SoftAuthenticator
from vestibule.core.crypto import new_key
from vestibule.db.models.user import User

__all__ = ["with_key"]

SIGN_IN = "/sign-in"
STEP = "/account/second-factor"
FACTORS = "/account/factors"
ADD = "/account/factors/passkey"
OWN_OPTIONS = "/account/factors/passkey-options"
OPTIONS = "/account/passkey-options"
CONNECT = "connect-src 'self'"
#: A worker without an answer of a passkey, and then one with it.
UNUSED = """
import sys
from api.v1.app import app
from vestibule.db.models.user import User
user = User(email="bob@example.com")
user.password = "violet umbrella 7 kites"
user.save()
client = app.test_client()
assert client.get("/sign-in").status_code == 200
form = {"email": "bob@example.com", "password": "violet umbrella 7 kites"}
assert client.post("/sign-in", data=form).status_code == 303
for path in ("/account", "/account/factors", "/account/factors/passkey"):
    assert client.get(path).status_code == 200
for path, use in (("/account", "sign-in"), ("/account/factors", "add")):
    asked = client.post(f"{path}/passkey-options", data={"use": use})
    assert asked.status_code == 200
api = "/api/v1/auth_session"
assert client.post(f"{api}/passkey/options").status_code == 200
refused = client.post(f"{api}/passkey", json={"passkey": {"id": "x"}})
assert refused.status_code == 401
assert client.get(f"{api}/verify").status_code == 200
print(any(name.partition(".")[0] == "fido2" for name in sys.modules))
from tests.soft_authenticator import SoftAuthenticator
path = "/account/factors/passkey-options"
options = client.post(path, data={"use": "add"}).get_json()
body = {"name": "x", "passkey": SoftAuthenticator().create(options)}
made = client.post(f"{api}/factors/passkey", json=body)
assert made.status_code == 201, made.text
print("fido2.webauthn" in sys.modules)
"""


@pytest.fixture
def service(build: Build, set_clock: SetClock) -> Service:
    """Return a service with pages and passkeys."""
    return build(
        "session_db_auth", WEB_PAGES="on", PUBLIC_URL="http://localhost"
    )


def signed_in(service: Service, user: User) -> Browser:
    """Return a browser that signed in with the password."""
    browser = Browser(service)
    form = {"email": str(user.email), "password": PASSWORD}
    assert browser.post(SIGN_IN, form).headers["Location"] == "/account"
    return browser


def options(browser: Browser, path: str, use: str) -> dict[str, Any]:
    """Return the options that the script asks for."""
    answer = browser.post(path, {"use": use})
    assert answer.status_code == 200, answer.text
    return dict(json.loads(answer.text))


def added(
    browser: Browser,
    device: SoftAuthenticator,
    name: str = "laptop",
    **more: str,
) -> str:
    """Add a passkey; return the page that follows."""
    made = device.create(options(browser, OWN_OPTIONS, "add"))
    form = {"name": name, "passkey": json.dumps(made), **more}
    answer = browser.post(ADD, form)
    if answer.status_code == 303:
        answer = browser.get(answer.headers["Location"])
    assert answer.status_code == 200
    return answer.text


def test_passkey_is_added_and_signs_in(service: Service) -> None:
    """The first one brings recovery codes; both are listed then."""
    user, device = stored_user(), SoftAuthenticator()
    browser = signed_in(service, user)
    page = browser.get(ADD)
    assert CONNECT in page.headers["Content-Security-Policy"]
    assert "unsafe" not in page.headers["Content-Security-Policy"]
    codes = set(re.findall(r"(?:[0-9A-Z]{4}-){5}", added(browser, device)))
    assert len(codes) == 10
    assert "The passkey was added." in added(
        browser, SoftAuthenticator(EDDSA), "<b>key</b>"
    )
    page = browser.get(FACTORS)
    assert "laptop" in page.text
    assert "&lt;b&gt;key" in page.text
    other = Browser(service)
    shown = other.get(SIGN_IN)
    assert 'autocomplete="username webauthn"' in shown.text
    assert CONNECT in shown.headers["Content-Security-Policy"]
    given = device.get(options(other, OPTIONS, "sign-in"))
    form = {"email": "", "password": "", "passkey": json.dumps(given)}
    answer = other.post(f"{SIGN_IN}?return_to=%2Finbox", form)
    assert answer.headers["Location"] == "/inbox"
    assert other.get(FACTORS).status_code == 200


def test_passkey_is_the_second_step(service: Service) -> None:
    """The page offers it, and no code of an app that the user lacks."""
    user, device = stored_user(), SoftAuthenticator()
    added(signed_in(service, user), device)
    browser = Browser(service)
    form = {"email": str(user.email), "password": PASSWORD}
    assert browser.post(SIGN_IN, form).headers["Location"] == STEP
    page = Page(browser.get(STEP))
    assert "Use a passkey" in page.text
    assert "code" not in page.fields()
    recovery = Page(browser.get(f"{STEP}?use=recovery")).text
    assert "Use a passkey" in recovery and "code of your app" not in recovery
    device.flags = UP
    wrong = device.get(options(browser, OPTIONS, "second-factor"))
    wrong["response"]["signature"] = "AAAA"
    answer = browser.post(STEP, {"passkey": json.dumps(wrong)})
    assert answer.status_code == 401
    assert "This passkey was refused" in answer.text
    given = device.get(options(browser, OPTIONS, "second-factor"))
    answer = browser.post(STEP, {"passkey": json.dumps(given)})
    assert answer.headers["Location"] == "/account"


def test_second_step_offers_no_passkey_to_a_user_without(
    service: Service,
) -> None:
    """The button could only fail."""
    owner = Owner()
    browser = Browser(service)
    form = {"email": str(owner.user.email), "password": PASSWORD}
    assert browser.post(SIGN_IN, form).headers["Location"] == STEP
    page = Page(browser.get(STEP))
    assert "code" in page.fields() and "passkey" not in page.fields()
    assert "Use a passkey" not in page.text


@pytest.mark.parametrize("text", ["x", "[]", "{}", "1" * 5_000, "[" * 9_000])
def test_field_that_is_no_answer_is_refused(
    service: Service, text: str
) -> None:
    """The form is shown again, with a message."""
    answer = Browser(service).post(SIGN_IN, {"passkey": text})
    assert answer.status_code == 401
    assert "This passkey was refused" in answer.text


def test_unknown_passkey_is_signalled(service: Service) -> None:
    """Only if no user has it: the password manager drops it then."""
    browser, device = Browser(service), SoftAuthenticator()
    given = device.get(options(browser, OPTIONS, "sign-in"))
    answer = browser.post(SIGN_IN, {"passkey": json.dumps(given)})
    assert answer.status_code == 401
    (signal,) = re.findall('data-signal="([^"]*)"', answer.text)
    assert json.loads(unescape(signal)) == {
        "rpId": "localhost",
        "credentialId": given["id"],
    }
    user = stored_user()
    owner = signed_in(service, user)
    added(owner, device)
    given = device.get(options(browser, OPTIONS, "sign-in"))
    given["response"]["signature"] = "AAAA"
    answer = browser.post(SIGN_IN, {"passkey": json.dumps(given)})
    assert "data-signal" not in answer.text
    (signal,) = re.findall('data-signal="([^"]*)"', owner.get(FACTORS).text)
    found = json.loads(unescape(signal))
    assert found["allAcceptedCredentialIds"] == [given["id"]]
    assert found["userId"] == device.handle
    assert found["name"] == user.email


def test_passkey_confirms_a_change(
    service: Service, set_clock: SetClock
) -> None:
    """In place of the password, on each form that asks for it."""
    user, device = stored_user(), SoftAuthenticator()
    browser = signed_in(service, user)
    added(browser, device)
    set_clock.advance(301)
    page = browser.get("/account/delete")
    assert "Confirm with a passkey" in page.text
    assert browser.post("/account/delete", {}).status_code == 400
    bad = {"proof_passkey": "{}"}
    assert browser.post("/account/delete", bad).status_code == 401
    proof = json.dumps(device.get(options(browser, OWN_OPTIONS, "confirm")))
    answer = browser.post("/account/delete", {"proof_passkey": proof})
    assert answer.status_code == 303
    assert User.get(user.id) is None


def test_adding_asks_for_a_proof(
    service: Service, set_clock: SetClock
) -> None:
    """A stolen session adds none; the proof may be another passkey."""
    user, device = stored_user(), SoftAuthenticator()
    browser = signed_in(service, user)
    added(browser, device)
    set_clock.advance(301)
    made = SoftAuthenticator().create(options(browser, OWN_OPTIONS, "add"))
    form = {"name": "x", "passkey": json.dumps(made)}
    assert browser.post(ADD, form).status_code == 400
    proof = json.dumps(device.get(options(browser, OWN_OPTIONS, "confirm")))
    answer = browser.post(ADD, {"name": "x", "proof_passkey": proof})
    assert answer.status_code == 200
    assert "Confirm with a passkey" not in answer.text
    assert "The passkey was added." in added(browser, SoftAuthenticator())


def test_password_is_removed_and_the_last_passkey_stays(
    service: Service,
) -> None:
    """The page says what is needed, before and after."""
    user, device = stored_user(), SoftAuthenticator()
    browser = signed_in(service, user)
    remove = "/account/password/remove"
    answer = browser.post(remove, {})
    assert answer.status_code == 400
    assert "you need two passkeys" in answer.text
    added(browser, device)
    assert remove in browser.get(FACTORS).text
    assert browser.get(remove).status_code == 200
    assert browser.post(remove, {}).status_code == 303
    assert "You have no password." in browser.get("/account").text
    (id,) = re.findall(r"remove\?factor=([^\"]+)", browser.get(FACTORS).text)
    assert (
        "Remove this passkey?"
        in browser.get(f"{FACTORS}/remove?factor={id}").text
    )
    answer = browser.post(f"{FACTORS}/remove", {"factor": id})
    assert answer.status_code == 409
    assert "This is your last passkey" in answer.text


@pytest.mark.slow
def test_library_is_loaded_with_the_first_answer(tmp_path: Path) -> None:
    """A worker whose users have no passkeys does without it.

    Pages, challenges, a sign-in and an empty answer do not load it.
    """
    settings = environment(
        tmp_path,
        AUTH_TYPE="session_db_auth",
        SESSION_NAME="id",
        WEB_PAGES="on",
        PUBLIC_URL="http://localhost",
        SECRETS_KEY=new_key(),
    )
    output = run_python(UNUSED, tmp_path, settings)
    assert output.split() == ["False", "True"]


def test_without_a_public_url_pages_have_no_passkeys(build: Build) -> None:
    """Neither a script nor a button, nor another policy."""
    service = build("session_db_auth", WEB_PAGES="on")
    shown = Browser(service).get(SIGN_IN)
    assert "passkey" not in shown.text
    assert "webauthn" not in shown.text
    assert CONNECT not in shown.headers["Content-Security-Policy"]
    browser = signed_in(service, stored_user())
    assert browser.get(ADD).status_code == 404
    assert browser.post(OWN_OPTIONS, {"use": "add"}).status_code == 404
    assert Browser(service).post(OPTIONS, {}).status_code == 404


def test_passkey_is_renamed_on_its_page(service: Service) -> None:
    """The list shows the new name."""
    browser = signed_in(service, stored_user())
    added(browser, SoftAuthenticator())
    (path,) = set(
        re.findall(
            r'href="(/account/factors/rename[^"]*)"', browser.get(FACTORS).text
        )
    )
    assert "Rename the passkey" in browser.get(unescape(path)).text
    factor = path.partition("=")[2]
    form = {"factor": factor, "name": "key"}
    done = browser.post(f"{FACTORS}/rename", form)
    assert done.headers["Location"] == FACTORS
    assert "<bdi>key</bdi>" in browser.get(FACTORS).text
