#!/usr/bin/env python3
"""Rules of the gate at verify: the answers, and the way to step up."""

from collections.abc import Callable
from pathlib import Path
from textwrap import dedent
from urllib.parse import parse_qs, urlsplit

import pytest
from flask.testing import FlaskClient

from tests.app.api.conftest import Build
from tests.app.api.factor_owner import VERIFY, Owner, signed_in
from tests.app.api.service import PASSWORD, Service, stored_user
from tests.clocks import SetClock
from vestibule.core.crypto import new_key
from vestibule.core.errors import ConfigurationError

PAGE_LOAD = {"Sec-Fetch-Mode": "navigate"}
STEP_UP = "/account/factors/step-up"
RULES = """\
    [[rule]]
    path = "/public"
    access = "open"

    [[rule]]
    path = "/closed"
    access = "deny"

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
    path = "/posts"
    method = "POST"
    level = 2
    fresh = 60

    [[rule]]
    path = "/office"
    network = "10.0.0.0/8"
    access = "open"
"""
EMPTY = dict.fromkeys(
    (
        "Remote-User",
        "Remote-Email",
        "Remote-Email-Verified",
        "Remote-Groups",
        "Remote-Assurance",
        "X-Vestibule-Identity",
    ),
    "",
)
Gated = Callable[..., Service]


@pytest.fixture(autouse=True)
def with_key(monkeypatch: pytest.MonkeyPatch, set_clock: SetClock) -> None:
    """Set a key for secrets, and stop the clock."""
    monkeypatch.setenv("SECRETS_KEY", new_key())


@pytest.fixture
def gated(build: Build, tmp_path: Path) -> Gated:
    """Return a function that builds a service with rules."""

    def make(rules: str = RULES, **settings: str) -> Service:
        """Build it behind a proxy on this machine."""
        file = tmp_path / "rules.toml"
        file.write_text(dedent(rules))
        defaults = {
            "GATE_RULES": str(file),
            "TRUSTED_PROXIES": "127.0.0.1",
            "WEB_PAGES": "on",
        }
        return build("session_db_auth", **(defaults | settings))

    return make


def ask(
    client: FlaskClient, path: str, method: str = "GET", **headers: str
) -> tuple[int, dict[str, str]]:
    """Ask verify as a proxy does; return status and headers."""
    answer = client.get(
        VERIFY,
        headers={
            "X-Forwarded-Host": "localhost",
            "X-Forwarded-Uri": path,
            "X-Forwarded-Method": method,
            "X-Forwarded-For": "192.0.2.1",
        }
        | {name.replace("_", "-"): value for name, value in headers.items()},
    )
    return answer.status_code, dict(answer.headers)


def test_open_path_needs_no_user_and_names_one_that_there_is(
    gated: Gated,
) -> None:
    """Without a session each header is empty, so the proxy replaces it."""
    service = gated()
    status, headers = ask(service.client(), "/public/x")
    assert status == 200
    assert {name: headers.get(name) for name in EMPTY} == EMPTY
    user = stored_user()
    client = service.client_for(user)
    for _ in range(3):
        status, headers = ask(client, "/public/x")
        assert (status, headers["Remote-User"]) == (200, user.id)
        assert headers["Remote-Assurance"] == "1"


def test_denied_path_is_closed_to_all(gated: Gated) -> None:
    """With a cached session too, and to programs."""
    service = gated()
    client = service.client_for(stored_user())
    assert ask(client, "/other")[0] == 200
    for path in ("/closed", "/%63losed", "//closed/x", "/closed;a/b"):
        assert ask(client, path)[0] == ask(service.client(), path)[0] == 403
    assert ask(client, "/other")[0] == 200


@pytest.mark.parametrize(
    "headers",
    [
        {"X_Forwarded_Uri": "/a/../closed"},
        {"X_Forwarded_Uri": ""},
        {"X_Forwarded_Uri": "https://localhost/second"},
        {"X_Forwarded_Host": ""},
        {"X_Forwarded_Method": ""},
        {"X_Original_URL": "https://localhost/second"},
        {"X_Original_URL": "https://other.example/other"},
        {"X_Original_Method": "POST"},
    ],
)
def test_request_of_a_proxy_without_a_clear_target_is_refused(
    gated: Gated, headers: dict[str, str]
) -> None:
    """A client may have sent the header that the proxy does not set."""
    client = gated().client_for(stored_user())
    assert ask(client, "/other")[0] == 200
    assert ask(client, "/other", **headers)[0] in (400, 403)


def test_headers_of_an_untrusted_peer_open_nothing(gated: Gated) -> None:
    """A gate that is not in TRUSTED_PROXIES is closed, not without rules."""
    service = gated(TRUSTED_PROXIES="192.0.2.7")
    client = service.client_for(stored_user())
    assert ask(client, "/public")[0] == 403
    assert client.get(VERIFY).status_code == 200
    bare = client.get(VERIFY, headers={"X-Forwarded-For": "192.0.2.1"})
    assert bare.status_code == 403


def test_ingress_nginx_names_the_address_as_one_url(gated: Gated) -> None:
    """Its X-Original-URL and X-Original-Method count too."""
    client = gated().client_for(stored_user())
    headers = {
        "X-Original-URL": "https://localhost/closed?x",
        "X-Original-Method": "GET",
    }
    assert client.get(VERIFY, headers=headers).status_code == 403
    headers["X-Original-URL"] = "https://localhost/open?x=/closed"
    assert client.get(VERIFY, headers=headers).status_code == 200


@pytest.mark.parametrize(
    ("path", "method", "challenge"),
    [
        ("/second", "GET", 'acr_values="urn:vestibule:level:2"'),
        ("/phishing", "GET", 'acr_values="phr"'),
        (
            "/posts",
            "POST",
            'acr_values="urn:vestibule:level:2", max_age="60"',
        ),
    ],
)
def test_program_is_told_what_is_missing(
    gated: Gated, path: str, method: str, challenge: str
) -> None:
    """The answer is 401 with the challenge of RFC 9470."""
    client = gated().client_for(stored_user())
    assert ask(client, "/posts")[0] == 200
    for _ in range(2):
        status, headers = ask(client, path, method)
        assert status == 401
        assert headers["WWW-Authenticate"] == (
            f'Bearer error="insufficient_user_authentication", {challenge}'
        )
        assert "Remote-User" not in headers


def test_network_counts_by_the_address_of_the_client(gated: Gated) -> None:
    """The proxy's header names it."""
    client = gated().client()
    assert ask(client, "/office", X_Forwarded_For="10.1.2.3")[0] == 200
    assert ask(client, "/office", X_Forwarded_For="11.1.2.3")[0] == 401
    assert ask(client, "/office", X_Forwarded_For="")[0] in (400, 401)


def test_recent_password_steps_up_and_leads_back(
    gated: Gated, set_clock: SetClock
) -> None:
    """A user without a factor confirms the password; the answer is 200."""
    client = gated().client_for(stored_user())
    assert ask(client, "/fresh")[0] == 200
    set_clock.advance(301)
    assert ask(client, "/fresh")[1]["WWW-Authenticate"].endswith(
        'max_age="300"'
    )
    status, headers = ask(client, "/fresh?a=1", **PAGE_LOAD)
    assert status == 302
    url = urlsplit(headers["Location"])
    assert (url.path, parse_qs(url.query)) == (
        STEP_UP,
        {"fresh": ["300"], "return_to": ["/fresh?a=1"]},
    )
    shown = client.get(headers["Location"])
    assert shown.status_code == 200
    assert 'name="password"' in shown.text
    form = {"fresh": "300", "return_to": "/fresh?a=1"}
    for password, status in (("", 400), ("wrong", 401)):
        refused = client.post(STEP_UP, data=form | {"password": password})
        assert refused.status_code == status
        assert ask(client, "/fresh")[0] == 401
    done = client.post(STEP_UP, data=form | {"password": PASSWORD})
    assert (done.status_code, done.headers["Location"]) == (303, "/fresh?a=1")
    assert ask(client, "/fresh")[0] == 200


def test_code_steps_up_to_level_2(gated: Gated, set_clock: SetClock) -> None:
    """A stale session of level 2 is fresh again by a code."""
    service, owner = gated(), Owner()
    set_clock.advance(30)
    client = signed_in(service, owner)
    assert ask(client, "/second")[1]["Remote-Assurance"] == "2"
    assert ask(client, "/posts", "POST")[0] == 200
    set_clock.advance(61)
    assert ask(client, "/second")[0] == 200
    _, headers = ask(client, "/posts", "POST", **PAGE_LOAD)
    form = {"level": "2", "fresh": "60", "return_to": "/posts"}
    assert "level=2&fresh=60" in headers["Location"]
    done = client.post(STEP_UP, data=form | {"code": owner.code()})
    assert done.headers["Location"] == "/posts"
    assert ask(client, "/posts", "POST")[0] == 200


def test_twenty_tabs_step_up_by_one_proof(
    gated: Gated, set_clock: SetClock
) -> None:
    """Each is led to the page; the forms of the others lead back at once."""
    client = gated().client_for(stored_user())
    set_clock.advance(301)
    pages = [ask(client, f"/fresh/{n}", **PAGE_LOAD)[1] for n in range(20)]
    assert all(STEP_UP in page["Location"] for page in pages)
    for n in range(20):
        password = PASSWORD if n == 0 else "of another tab"
        form = {"fresh": "300", "return_to": f"/fresh/{n}"}
        done = client.post(STEP_UP, data=form | {"password": password})
        assert done.headers["Location"] == f"/fresh/{n}"
    assert ask(client, "/fresh/7")[0] == 200


def test_step_up_page_never_redirects_by_itself(
    gated: Gated, set_clock: SetClock
) -> None:
    """So no browser is led in a circle, whatever the query says."""
    client = gated().client_for(stored_user())
    for query in (
        "",
        "level=2",
        "fresh=0",
        "fresh=99999999999",
        "fresh=-1",
        "level=7&fresh=x",
        "phishing-resistant=on",
        "return_to=https://evil.example/",
    ):
        shown = client.get(f"{STEP_UP}?{query}")
        assert shown.status_code == 200, query
        assert "evil" not in shown.text
    assert "second factor" in client.get(f"{STEP_UP}?level=2").text
    assert client.post(STEP_UP, data={"level": "2"}).status_code == 400


def test_sign_in_page_of_an_application_is_not_asked_for_more(
    gated: Gated,
) -> None:
    """It would lead a signed-in user back at once: a loop."""
    service = gated(LOGIN_URL="https://app.example/enter")
    status, headers = ask(
        service.client_for(stored_user()), "/second", **PAGE_LOAD
    )
    assert (status, "Location" in headers) == (401, False)


def test_query_of_the_proxy_counts_beside_the_rules(gated: Gated) -> None:
    """An open path with `role=admin` still needs an admin."""
    service = gated()
    headers = {
        "X-Forwarded-Host": "localhost",
        "X-Forwarded-Uri": "/public",
        "X-Forwarded-Method": "GET",
    }
    url = f"{VERIFY}?role=admin"
    assert service.client().get(url, headers=headers).status_code == 401
    member = service.client_for(stored_user())
    assert member.get(url, headers=headers).status_code == 403


def test_faulty_rules_end_the_start(gated: Gated) -> None:
    """The message names the line."""
    with pytest.raises(ConfigurationError, match="line 2: unknown key hosts"):
        gated("[[rule]]\nhosts = 'a'\naccess = 'open'\n")
