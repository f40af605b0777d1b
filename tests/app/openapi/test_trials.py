#!/usr/bin/env python3
"""Requests of any kind get described answers, whoever sends them."""

from typing import Any

import pytest
from schemathesis.core.failures import FailureGroup

from tests.app.api.conftest import Build
from tests.app.api.house import House
from tests.app.openapi.trials import Trials, sequences
from tests.e2e.server.accounts import account, handle_of, open_session
from tests.serving import COOKIE
from vestibule.http.responses import json_response

#: Requests for each operation in `make check`, and sequences of them.
EACH = 10
SEQUENCES = 12


def test_as_an_admin(build: Build) -> None:
    """With a session that is new each time: some requests end it."""
    house = build("session_db_auth", IDENTITY_HEADER="on")
    admin = account("admin")
    trials = Trials(
        house, lambda: {"cookies": {COOKIE: open_session(admin.user)}}
    )
    trials.places["user_id"] = lambda: account().id
    trials.places["handle"] = lambda: handle_of(open_session(admin.user))
    trials.run(EACH)
    assert {
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
    } <= trials.opened()


def test_a_life(build: Build) -> None:
    """Somebody is added, shown, named and deleted, in any order."""
    house = build("session_db_auth")
    admin = account("admin")
    trials = Trials(
        house, lambda: {"cookies": {COOKIE: open_session(admin.user)}}
    )
    sequences(trials, SEQUENCES)
    assert {
        ("addUser", 201),
        ("showUser", 200),
        ("nameUser", 200),
        ("deleteUser", 200),
        ("showUser", 404),
    } <= trials.seen


def sent(house: House, chance: str) -> list[str]:
    """Return what a few trials and sequences send."""
    admin = account("admin")
    trials = Trials(
        house, lambda: {"cookies": {COOKIE: open_session(admin.user)}}, chance
    )
    found = []

    def noted(case: Any, answer: Any) -> None:
        """Keep what has no ids in it, which are new each time."""
        found.append(repr((case.method, case.path, case.query)))

    trials.note = noted  # type: ignore[method-assign]
    for operation in trials.operations()[:3]:
        trials.try_out(operation, EACH // 2)
    sequences(trials, 2)
    return found


def test_a_seed_says_what_is_sent(build: Build) -> None:
    """The same one sends the same again, another one something else."""
    house = build("session_db_auth")
    first = sent(house, "1")
    assert sent(house, "1") == first
    assert sent(house, "2") != first


@pytest.mark.parametrize("status", [500, 418, 200])
def test_a_fault_is_seen(
    build: Build, monkeypatch: pytest.MonkeyPatch, status: int
) -> None:
    """A 5xx, an undescribed status, and what has another form."""
    house = build("session_db_auth")
    trials = Trials(house, dict)
    monkeypatch.setitem(
        house.app.view_functions,
        "app_views.status",
        lambda: json_response({"state": "odd"}, status),
    )
    with pytest.raises(FailureGroup):
        for operation in trials.operations():
            if operation.path == "/api/v1/status":
                trials.try_out(operation, 1)


def test_an_open_door_is_seen(build: Build) -> None:
    """What answers a stranger although it should be guarded."""
    house = build("session_db_auth")
    trials = Trials(house, dict)
    house.mechanism.require_auth = lambda path, excluded: False
    with pytest.raises(AssertionError):
        trials.run(1)


def test_not_signed_in(build: Build) -> None:
    """Nothing that is guarded opens."""
    trials = Trials(build("session_db_auth", IDENTITY_HEADER="on"), dict)
    trials.places["user_id"] = lambda: account().id
    trials.run(EACH)
    guarded = {
        one.definition.raw["operationId"]
        for one in trials.operations()
        if one.definition.raw["security"]
    }
    assert guarded <= {name for name, _ in trials.seen}
    assert guarded & trials.opened() == set()
