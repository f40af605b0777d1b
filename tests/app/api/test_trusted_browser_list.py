#!/usr/bin/env python3
"""Users and admins list trusted browsers, and end the trust, by the API."""

from collections.abc import Callable
from typing import Any

import pytest
from flask.testing import FlaskClient

from tests.app.api.factor_owner import CONTINUE, ME, Owner, waiting
from tests.app.api.service import Service, stored_user
from tests.app.api.test_trusted_browsers import TRUST, log_in, trusted
from tests.clocks import SetClock
from tests.threads import at_once
from vestibule.accounts.permissions import Actor
from vestibule.accounts.revocation import untrust_browser
from vestibule.core import clock
from vestibule.db.browsers import TRUST_LIFETIME
from vestibule.http.second_step import browsers_trusted_by
from vestibule.mechanisms.session_mechanism import sessions_of

BROWSERS = "/api/v1/auth_session/trusted-browsers"

pytestmark = pytest.mark.usefixtures("with_key")


def listed(client: FlaskClient, path: str = BROWSERS) -> list[str]:
    """Return the handles of a list of trusted browsers."""
    answer = client.get(path)
    assert answer.status_code == 200, answer.text
    return [browser["id"] for browser in answer.get_json()]


def test_user_lists_and_ends_trust_by_the_api(
    service: Service, owner: Owner, set_clock: SetClock
) -> None:
    """The list has no secret; the browser is asked for the code again."""
    client = trusted(service, owner)
    (shown,) = client.get(BROWSERS).get_json()
    begun = clock.now()
    assert shown["created_at"] == begun.strftime("%Y-%m-%d %H:%M:%S")
    until = begun + TRUST_LIFETIME
    assert shown["expires_at"] == until.strftime("%Y-%m-%d %H:%M:%S")
    assert set(shown) == {
        "id",
        "created_at",
        "expires_at",
        "ip",
        "user_agent",
        "device",
    }
    secret = client.get_cookie(TRUST)
    assert secret is not None
    assert secret.value not in client.get(BROWSERS).text
    path = f"{BROWSERS}/{shown['id']}"
    assert [client.delete(path).status_code for _ in range(2)] == [200, 404]
    assert listed(client) == []
    assert log_in(client, owner.user) == 401


@pytest.mark.parametrize(
    "handle", ["unknown", "%00", "a" * 5000, "..%2F..", "%F0%9F%94%91"]
)
def test_unknown_browser_is_not_found(
    service: Service, owner: Owner, handle: str
) -> None:
    """Whatever the handle is, the answer is a 404, and nothing ends."""
    client = trusted(service, owner)
    assert client.delete(f"{BROWSERS}/{handle}").status_code == 404
    assert len(listed(client)) == 1


def test_browser_of_another_user_is_not_found(
    service: Service, owner: Owner, set_clock: SetClock
) -> None:
    """Neither in the own list, nor by its handle."""
    client = trusted(service, owner)
    (handle,) = listed(client)
    other = service.client_for(stored_user())
    assert listed(other) == []
    assert other.delete(f"{BROWSERS}/{handle}").status_code == 404
    for path in (f"/api/v1/users/{owner.user.id}/trusted-browsers",):
        assert other.get(path).status_code == 403
        assert other.delete(f"{path}/{handle}").status_code == 403
    assert listed(client) == [handle]


def test_admin_ends_trust_of_a_user(
    service: Service,
    owner: Owner,
    set_clock: SetClock,
    logged: Callable[[], list[dict[str, Any]]],
) -> None:
    """The event names both; a password must have been given recently."""
    client = trusted(service, owner)
    (handle,) = listed(client)
    admin = stored_user("admin")
    chief = service.client_for(admin)
    path = f"/api/v1/users/{owner.user.id}/trusted-browsers"
    assert listed(chief, path) == [handle]
    own = f"/api/v1/users/{admin.id}/trusted-browsers"
    assert chief.delete(f"{own}/{handle}").status_code == 404
    unknown = "/api/v1/users/unknown/trusted-browsers"
    assert chief.get(unknown).status_code == 404
    assert chief.delete(f"{unknown}/{handle}").status_code == 404
    set_clock.advance(301)
    assert chief.delete(f"{path}/{handle}").status_code == 403
    chief = service.client_for(admin)
    assert chief.delete(f"{path}/{handle}").status_code == 200
    assert listed(client) == []
    assert client.get(ME).status_code == 200
    (event,) = [
        line for line in logged() if line["event"] == "session_revoked"
    ]
    assert (event["user"], event["by"]) == (owner.user.id, admin.id)
    assert (event["handle"], event["reason"]) == (handle, "trusted_browser")


def test_one_of_eight_removals_at_once_succeeds(
    service: Service, owner: Owner
) -> None:
    """So there is one event for each removal."""
    trusted(service, owner)
    (handle,) = [
        each.id
        for each in browsers_trusted_by(
            owner.user, sessions_of(service.mechanism)
        )
    ]
    actor = Actor(owner.user.id)
    ended = at_once(8, lambda _: untrust_browser(owner.user.id, handle, actor))
    assert sorted(ended) == [False] * 7 + [True]


def test_recovered_session_cannot_see_trusted_browsers(
    service: Service, owner: Owner
) -> None:
    """It may only enroll a factor."""
    client = waiting(service, owner)
    body = {"recovery_code": owner.recovery[0]}
    assert client.post(CONTINUE, json=body).status_code == 200
    assert client.get(BROWSERS).status_code == 403
