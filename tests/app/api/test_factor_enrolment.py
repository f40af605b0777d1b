#!/usr/bin/env python3
"""Users add, confirm and remove authenticator apps over the API."""

import base64
from typing import Any

import pytest
from flask.testing import FlaskClient

from tests.app.api.factor_owner import (
    CODES,
    FACTORS,
    ME,
    Owner,
    facts,
    signed_in,
)
from tests.app.api.service import (
    Service,
    session_id_of,
    stored_user,
)
from tests.clocks import SetClock
from vestibule.accounts import totp
from vestibule.accounts.second_factors import begin_app, confirm_app
from vestibule.core import clock
from vestibule.db import factors
from vestibule.sessions.facts import (
    level_of,
)

pytestmark = pytest.mark.usefixtures("with_key")


def test_enrolment_over_the_api(service: Service) -> None:
    """The seed and the codes are shown once; the session gets level 2."""
    user = stored_user()
    client = service.client_for(user)
    before = session_id_of(client)
    answer = client.post(FACTORS, json={"name": "phone"})
    assert answer.status_code == 201
    assert answer.headers["Cache-Control"] == "no-store"
    new = answer.get_json()
    assert new["otpauth"].startswith("otpauth://totp/Vestibule:")
    assert client.get(FACTORS).get_json() == {
        "factors": [],
        "recovery_codes": 0,
    }
    seed = base64.b32decode(new["key"].replace(" ", ""))
    confirm = f"{FACTORS}/{new['id']}/confirm"
    wrong = client.post(confirm, json={"code": "12345"})
    assert (wrong.status_code, wrong.get_json()) == (
        401,
        {"error": "wrong code"},
    )
    code = totp.hotp(seed, totp.step_at(clock.now()))
    codes = client.post(confirm, json={"code": code}).get_json()
    assert len(codes["recovery_codes"]) == 10
    assert session_id_of(client) != before
    assert level_of(facts(service, client)) == 2
    listed = client.get(FACTORS)
    assert new["key"] not in listed.text
    assert [one["name"] for one in listed.get_json()["factors"]] == ["phone"]
    assert service.client_with_session(before).get(ME).status_code == 403


def test_old_session_changes_no_factor(
    service: Service, set_clock: SetClock
) -> None:
    """One that gave no second factor cannot remove one, nor add one."""
    user = stored_user()
    client = service.client_for(user)
    app = begin_app(user, "phone")
    seed = base64.b32decode(app.key.replace(" ", ""))
    confirm_app(
        user, app.factor.id, totp.hotp(seed, totp.step_at(clock.now()))
    )
    for method, path in (
        ("DELETE", f"{FACTORS}/{app.factor.id}"),
        ("POST", FACTORS),
        ("POST", CODES),
        ("POST", f"{FACTORS}/{app.factor.id}/confirm"),
    ):
        answer = client.open(path, method=method, json={"name": "x"})
        assert answer.status_code == 403, path
        assert answer.get_json() == {"error": "Re-authentication required"}
    set_clock.advance(30)
    code = totp.hotp(seed, totp.step_at(clock.now()))
    answer = client.post(f"{FACTORS}/proof", json={"code": code})
    assert answer.status_code == 200
    assert client.post(CODES).status_code == 200
    assert client.delete(f"{FACTORS}/{app.factor.id}").status_code == 200
    assert service.log_in(user)[1].status_code == 200


def test_change_needs_recent_authentication(
    service: Service, owner: Owner, set_clock: SetClock
) -> None:
    """A present factor is enough for it, as the password is."""
    client = signed_in(service, owner)
    set_clock.advance(301)
    assert client.post(CODES).status_code == 403
    code = {"code": owner.code()}
    assert client.post(f"{FACTORS}/proof", json=code).status_code == 200
    assert len(client.post(CODES).get_json()["recovery_codes"]) == 10


def test_member_cannot_change_the_factors_of_another(
    service: Service, owner: Owner
) -> None:
    """The factor of another user is not found."""
    client = service.client_for(stored_user())
    answer = client.delete(f"{FACTORS}/{owner.app_id}")
    assert answer.status_code == 404
    answer = client.post(
        f"{FACTORS}/{owner.app_id}/confirm", json={"code": owner.code()}
    )
    assert answer.status_code == 404


def test_without_a_key_no_app_can_be_added(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The response is 404: this installation has no second factors."""
    client = service.client_for(stored_user())
    monkeypatch.delenv("SECRETS_KEY")
    assert client.post(FACTORS, json={"name": "x"}).status_code == 404


def names(client: FlaskClient) -> list[str]:
    """Return the names of the client's factors."""
    return [one["name"] for one in client.get(FACTORS).get_json()["factors"]]


def test_factor_is_renamed(
    service: Service, owner: Owner, set_clock: SetClock
) -> None:
    """Blanks are tidied; the app and the trust in browsers stay."""
    client = signed_in(service, owner)
    path = f"{FACTORS}/{owner.app_id}"
    answer = client.put(path, json={"name": "  my \n tablet "})
    assert answer.status_code == 200
    assert (answer.get_json()["name"], answer.get_json()["kind"]) == (
        "my tablet",
        "totp",
    )
    assert names(client) == ["my tablet"]
    set_clock.advance(30)
    assert signed_in(service, owner).get(ME).status_code == 200


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"name": ""},
        {"name": "  "},
        {"name": None},
        {"name": 7},
        {"name": ["x"]},
        {"name": "a" * 65},
        {"name": "a\x00b"},
        {"name": "a\u202eb"},
        {"name": "\ud800"},
        ["x"],
    ],
)
def test_name_that_is_no_name_is_refused(
    service: Service, owner: Owner, body: Any
) -> None:
    """The factor keeps its name."""
    client = signed_in(service, owner)
    path = f"{FACTORS}/{owner.app_id}"
    assert client.put(path, json=body).status_code == 400
    assert names(client) == ["phone"]


def test_factor_of_another_is_not_renamed(
    service: Service, owner: Owner
) -> None:
    """Nor an unknown one, nor the set of recovery codes."""
    client = signed_in(service, owner)
    other = service.client_for(stored_user())
    new = {"name": "stolen"}
    assert other.put(f"{FACTORS}/{owner.app_id}", json=new).status_code == 404
    (codes,) = [
        one.id
        for one in factors.of_user(owner.user.id)
        if one.kind == factors.RECOVERY
    ]
    for unknown in (codes, "unknown", "%00", "a" * 5000):
        answer = client.put(f"{FACTORS}/{unknown}", json=new)
        assert answer.status_code == 404, unknown
    assert names(client) == ["phone"]


def test_renaming_needs_a_factor_of_this_session(
    service: Service, owner: Owner, set_clock: SetClock
) -> None:
    """As each change of the factors does, given recently."""
    client = signed_in(service, owner)
    path, new = f"{FACTORS}/{owner.app_id}", {"name": "tablet"}
    set_clock.advance(301)
    assert client.put(path, json=new).status_code == 403
    code = {"code": owner.code()}
    assert client.post(f"{FACTORS}/proof", json=code).status_code == 200
    assert client.put(path, json=new).status_code == 200
