#!/usr/bin/env python3
"""ASVS 6.1: SECURITY.md describes authentication as it works."""

import pytest

from tests.app.api.matrix import cells, routes
from tests.asvs.conftest import Start
from tests.asvs.page import block, numbers
from tests.asvs.service import Service, refused
from tests.e2e.server.accounts import PASSWORD, account
from tests.serving import LOGIN, LOGOUT
from vestibule.accounts import throttle
from vestibule.accounts.password_policy import CONTEXT_WORDS
from vestibule.core.errors import ConfigurationError
from vestibule.mechanisms import MECHANISMS, mechanism_for

Route = tuple[str, str]
TYPES = [line[0] for line in block("authentication") if line[0] != "open"]
OPEN: set[Route] = {
    (line[1], line[2]) for line in block("authentication") if line[0] == "open"
}
#: Routes with a fixed status for every client.
FIXED = {"/api/v1/unauthorized": 401, "/api/v1/forbidden": 403}
ADMINS: set[Route] = {
    (cell.method, cell.path)
    for cell in cells()
    if (cell.policy, cell.actor, cell.status) == ("open", "member", 403)
    and cell.path not in FIXED
}


def test_v6_1_1_throttling_is_as_documented(throttled: Service) -> None:
    """The numbers of the page hold, and no other user is locked out."""
    told = numbers("throttling")
    assert told == {
        "account-failures": throttle.FREE_FAILURES + 1,
        "network-failures": throttle.FREE_NETWORK_FAILURES + 1,
        "first-wait-seconds": throttle.delay_after(throttle.FREE_FAILURES + 1),
        "longest-wait-seconds": throttle.MAX_WAIT_SECONDS,
        "forgotten-after-seconds": int(
            throttle.FAILURE_MEMORY.total_seconds()
        ),
    }
    user = account()
    for _ in range(told["account-failures"]):
        answer = throttled.post_login(user.email, "wrong password")
        assert answer.status_code == 401
    answer = throttled.post_login(user.email, PASSWORD)
    assert refused(answer) == told["first-wait-seconds"]
    answer = throttled.post_login(user.email, PASSWORD, address="127.0.0.2")
    assert answer.status_code == 200


def test_v6_1_2_context_words_are_documented() -> None:
    """The page has the fixed words and the sources of the others."""
    told = [" ".join(line) for line in block("context-words")]
    fixed = [line for line in told if not line.startswith("<")]
    assert fixed == list(CONTEXT_WORDS)
    assert set(told) - set(fixed) == {
        "<host name, whole and each label>",
        "<email, whole, its local part and each piece of that, its domain>",
        "<each word of PASSWORD_CONTEXT_WORDS>",
    }


def status_of(server: Service, route: Route, *sent: str) -> int:
    """Send a request with a kind of credential; return the status."""
    method, path = route
    path = path.replace("<user_id>", "unknown").replace("<handle>", "none")
    cookie, headers = None, {}
    if sent == ("cookie",):
        cookie = "c1d5a2c8-0000-4000-8000-000000000000"
    elif sent == ("basic",):
        headers = {"Authorization": "Basic bm9ib2R5Om5vdGhpbmc="}
    elif sent:
        cookie = sent[1]
    return server.request(method, path, cookie, headers=headers).status_code


def verdict(route: Route, kind: str, status: int) -> str:
    """Return how the block shows a status: `in`, 401 or 403."""
    if kind == "unset" and route in ADMINS:
        # Without authentication there is no admin.
        assert status == 403
        return "in"
    assert status < 500
    return str(status) if status in (401, 403) else "in"


@pytest.mark.parametrize("kind", TYPES)
def test_v6_1_3_ways_to_authenticate(kind: str, start: Start) -> None:
    """Each mechanism treats each route and credential as documented."""
    (line,) = [line for line in block("authentication") if line[0] == kind]
    server = start(None if kind == "unset" else kind)
    user = account("admin")
    seen: dict[str, set[str]] = {}
    for route in sorted(routes() - OPEN):
        statuses = [
            status_of(server, route),
            status_of(server, route, "cookie"),
            good_cookie(server, route, user.email),
            status_of(server, route, "basic"),
            good_basic(server, route, user.email),
        ]
        got = " ".join(verdict(route, kind, status) for status in statuses)
        seen.setdefault(got, set()).add(f"{route}")
    assert set(seen) == {" ".join(line[1:])}, seen
    for route in sorted(OPEN):
        statuses = [
            status_of(server, route),
            status_of(server, route, "cookie"),
            status_of(server, route, "basic"),
        ]
        want = FIXED.get(route[1], statuses[0])
        assert statuses == [want] * 3
        assert (want in (401, 403)) == (route[1] in FIXED)


def good_cookie(server: Service, route: Route, email: str) -> int:
    """Send a request with a new session, if the mechanism has any."""
    answer = server.post_login(email, PASSWORD)
    if answer.status_code != 200:
        assert answer.status_code == 404
        return status_of(server, route, "cookie")
    return status_of(server, route, "good", server.token(answer))


def good_basic(server: Service, route: Route, email: str) -> int:
    """Send a request with the right email and password."""
    method, path = route
    path = path.replace("<user_id>", "unknown").replace("<handle>", "none")
    return server.request(method, path, auth=(email, PASSWORD)).status_code


def test_v6_1_3_mechanisms_are_all_documented() -> None:
    """The page lists all mechanisms; another one is refused."""
    assert set(TYPES) == {"unset", *MECHANISMS}
    with pytest.raises(ConfigurationError, match="session_db_auth"):
        mechanism_for("session_auht")
    assert {("POST", LOGIN)} < OPEN
    assert ("DELETE", LOGOUT) not in OPEN
