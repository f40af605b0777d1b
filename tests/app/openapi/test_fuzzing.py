#!/usr/bin/env python3
"""Random requests get described responses from any client."""

from typing import Any

import pytest
from schemathesis.core.failures import FailureGroup

from tests.app.api.conftest import Build
from tests.app.api.service import Service
from tests.app.openapi.fuzzer import Fuzzer, sequences
from tests.e2e.server.accounts import account, handle_of, open_session
from tests.serving import COOKIE
from vestibule.http.responses import json_response

pytestmark = pytest.mark.slow

#: Requests for each operation in `make check`, and sequences.
EACH = 10
SEQUENCES = 12
#: Operations of which some random requests succeed.
OPEN_TO_ADMINS = frozenset(
    {
        "listUsers",
        "showUser",
        "nameUser",
        "deleteUser",
        "issueReset",
        "listSessions",
        "endSession",
        "listSessionsOf",
        "endSessionsOf",
        "endAllSessions",
        "endOtherSessions",
        "logOut",
        "showMe",
        "verify",
        "getStats",
        "setRole",
        "setDisabled",
        "findUsers",
        "showUserToAdmins",
        "showFailures",
        "forgetFailures",
        "listAllSessions",
        "endAnySession",
        "listEvents",
        "exportEvents",
        "showFigures",
    }
)


def test_random_requests_of_admin_get_described_responses(
    build: Build,
) -> None:
    """Each request has a new session, because some requests end it."""
    service = build(
        "session_db_auth",
        IDENTITY_HEADER="on",
        IDENTITY_HOSTS="localhost,127.0.0.1:*",
    )
    admin = account("admin")
    fuzzer = Fuzzer(
        service, lambda: {"cookies": {COOKIE: open_session(admin.user)}}
    )
    fuzzer.places["user_id"] = lambda: account().id
    fuzzer.places["handle"] = lambda: handle_of(open_session(admin.user))
    fuzzer.run(EACH)
    assert not fuzzer.reach(OPEN_TO_ADMINS, EACH)


def test_random_request_sequences_get_described_responses(
    build: Build,
) -> None:
    """A user is added, shown, renamed and deleted in any order."""
    service = build("session_db_auth")
    admin = account("admin")
    fuzzer = Fuzzer(
        service, lambda: {"cookies": {COOKIE: open_session(admin.user)}}
    )
    sequences(fuzzer, SEQUENCES)
    assert {
        ("addUser", 201),
        ("showUser", 200),
        ("nameUser", 200),
        ("deleteUser", 200),
        ("showUser", 404),
    } <= fuzzer.seen


def sent(service: Service, chance: str) -> list[str]:
    """Return what a few random requests and sequences send."""
    admin = account("admin")
    fuzzer = Fuzzer(
        service,
        lambda: {"cookies": {COOKIE: open_session(admin.user)}},
        chance,
    )
    found = []

    def noted(case: Any, answer: Any) -> None:
        """Record a request without ids, which are new each time."""
        found.append(repr((case.method, case.path, case.query)))

    fuzzer.note = noted  # type: ignore[method-assign]
    for operation in fuzzer.operations()[:3]:
        fuzzer.try_out(operation, EACH // 2)
    sequences(fuzzer, 2)
    return found


def test_same_seed_sends_same_requests(build: Build) -> None:
    """Another seed sends other requests."""
    service = build("session_db_auth")
    first = sent(service, "1")
    assert sent(service, "1") == first
    assert sent(service, "2") != first


@pytest.mark.parametrize("status", [500, 418, 200])
def test_fuzzer_detects_faulty_responses(
    build: Build, monkeypatch: pytest.MonkeyPatch, status: int
) -> None:
    """It fails on a 5xx, an undescribed status and a wrong schema."""
    service = build("session_db_auth")
    fuzzer = Fuzzer(service, dict)
    monkeypatch.setitem(
        service.app.view_functions,
        "app_views.status",
        lambda: json_response({"state": "odd"}, status),
    )
    with pytest.raises(FailureGroup):
        for operation in fuzzer.operations():
            if operation.path == "/api/v1/status":
                fuzzer.try_out(operation, 1)


def test_fuzzer_detects_unguarded_route(build: Build) -> None:
    """A guarded route answers an anonymous client."""
    service = build("session_db_auth")
    fuzzer = Fuzzer(service, dict)
    service.mechanism.require_auth = lambda path, excluded: False
    with pytest.raises(AssertionError):
        fuzzer.run(1)


def test_random_anonymous_requests_are_refused(build: Build) -> None:
    """No guarded operation succeeds."""
    fuzzer = Fuzzer(
        build(
            "session_db_auth",
            IDENTITY_HEADER="on",
            IDENTITY_HOSTS="localhost,127.0.0.1:*",
        ),
        dict,
    )
    fuzzer.places["user_id"] = lambda: account().id
    fuzzer.run(EACH)
    guarded = {
        one.definition.raw["operationId"]
        for one in fuzzer.operations()
        if one.definition.raw["security"]
    }
    assert guarded <= {name for name, _ in fuzzer.seen}
    assert guarded & fuzzer.opened() == set()
