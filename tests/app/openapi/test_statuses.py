#!/usr/bin/env python3
"""Every status that is described was answered, and no other was.

Who adds a route adds its declaration, and a well-formed request to
`tests.app.openapi.operation_client` if it has a body.
"""

from pathlib import Path
from typing import Any

import pytest

from tests.app.api.conftest import Build
from tests.app.api.service import basic
from tests.app.openapi.operation_client import (
    BODIES,
    OperationClient,
    demote_all,
)
from tests.app.openapi.response_checker import ResponseChecker
from tests.clocks import SetClock
from tests.e2e.server.accounts import account, handle_of
from vestibule.api.app import MAX_BODY_BYTES
from vestibule.api.openapi.operation import ALL, FORM, JSON
from vestibule.db import engine
from vestibule.mechanisms.session_auth import SessionAuth

SWITCHED = {"IDENTITY_HEADER": "on"}
#: Failures after which each client has to wait.
TRIES = 6
#: Values that a parameter of a list does not take.
AMISS = {
    "q": "\0",
    "role": "king",
    "disabled": "perhaps",
    "signed_in": "perhaps",
    "limit": "0",
    "after": "nowhere",
    "user": "\0",
    "network": "nowhere",
    "device": "\0",
    "kind": "party",
    "since": "tomorrow",
    "until": "tomorrow",
    "format": "pdf",
    "period": "century",
}


def test_each_described_status_is_returned(
    build: Build,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    set_clock: SetClock,
) -> None:
    """Each header is seen too, and no undescribed status."""
    service = build("session_db_auth", **SWITCHED)
    checker = ResponseChecker(service)
    scene = OperationClient(service, checker)
    succeed(scene)
    find_nothing(scene)
    refuse(scene)
    ask_amiss(scene)
    take_no_such_body(scene)
    demote_all()
    keep_an_admin(scene)
    for kind in ("session_db_auth", "basic_auth"):
        wait(OperationClient(build(kind, **SWITCHED, THROTTLE="on"), checker))
    without_sessions(OperationClient(build("basic_auth", **SWITCHED), checker))
    without_users(OperationClient(build(None, **SWITCHED), checker))
    fail(
        OperationClient(build("session_db_auth", **SWITCHED), checker),
        monkeypatch,
    )
    scene = OperationClient(build("session_db_auth", **SWITCHED), checker)
    lose_database(scene, tmp_path, monkeypatch)
    assert checker.described() ^ checker.seen == set()
    assert set(ALL) - checker.headers == set()


def succeed(scene: OperationClient) -> None:
    """Ask each operation for what it is there for."""
    for name in scene.checker.operations:
        if name not in ("endSession", "resetPassword"):
            assert scene.send(name, target=account()) < 500
    admin = account("admin")
    client = scene.service.client_with_session(admin.session_id)
    code = scene.checker.send(client, "issueReset", {"user_id": scene.bob.id})
    scene.code = code.get_json()["code"]
    assert scene.send("resetPassword") == 200
    own = {"handle": handle_of(admin.session_id)}
    assert scene.send("endSession", client, places=own) == 200
    other = {"handle": handle_of(account().session_id)}
    assert scene.send("endAnySession", places=other) == 200
    lines: dict[str, Any] = {"query_string": "format=jsonl"}
    assert scene.send("exportEvents", **lines) == 200
    assert scene.send("getStatus", base_url="https://app.example") == 200
    anonymous = scene.service.client()
    for name in (
        "getDescription",
        "getViewer",
        "getViewerStyle",
        "getViewerScript",
    ):
        told = scene.checker.send(anonymous, name, {}).headers["ETag"]
        assert scene.send(name, headers={"If-None-Match": told}) == 304
    page: dict[str, Any] = {"headers": {"Accept": "text/html"}}
    assert scene.send("verify", anonymous, **page) == 302
    off: dict[str, Any] = {"query_string": "redirect=off"}
    assert scene.send("verify", anonymous, **page, **off) == 401


def find_nothing(scene: OperationClient) -> None:
    """Request unknown users, and log in with unknown emails."""
    for name, (_, path, _) in scene.checker.operations.items():
        if "{" in path:
            places = {"user_id": "unknown", "handle": "unknown"}
            assert scene.send(name, places=places) == 404
    for email, status in (("unknown@x.example", 404), (scene.bob.email, 401)):
        form = {"email": email, "password": "wrong"}
        assert scene.send("logIn", data=form) == status


def refuse(scene: OperationClient) -> None:
    """Send no credential, a wrong one, and a cross-site request."""
    anonymous = scene.service.client()
    for name in scene.guarded():
        assert scene.send(name, anonymous) == 401
        test: dict[str, Any] = {"headers": {"Authorization": "Test"}}
        refused = 401 if name == "verify" else 403
        assert scene.send(name, anonymous, **test) == refused
    site: dict[str, Any] = {"headers": {"Sec-Fetch-Site": "cross-site"}}
    for name, (method, _, _) in scene.checker.operations.items():
        if method != "GET":
            assert scene.send(name, **site) == 403
    session_id = account().session_id
    assert (
        scene.send("logOut", scene.service.client_with_session(session_id))
        == 200
    )
    assert (
        scene.send("showMe", scene.service.client_with_session(session_id))
        == 403
    )


def ask_amiss(scene: OperationClient) -> None:
    """Give each parameter that is refused by its name such a value."""
    refused = 0
    for name, (_, _, told) in scene.checker.operations.items():
        for one in told["parameters"]:
            if one["name"] in AMISS and "400" in told["responses"]:
                query = {one["name"]: AMISS[one["name"]]}
                assert scene.send(name, query_string=query) == 400, query
                refused += 1
    assert refused > len(AMISS)


def take_no_such_body(scene: OperationClient) -> None:
    """Send what is no body, and one that is too large."""
    for name, (kind, _) in BODIES.items():
        written = JSON if kind == "json" else FORM
        for content, status in (
            (b"", 400),
            (b"x" * (MAX_BODY_BYTES + 1), 413),
        ):
            assert (
                scene.send(name, json=None, data=content, content_type=written)
                == status
            )


def keep_an_admin(scene: OperationClient) -> None:
    """Ask the last admin to be one no more, in each way there is."""
    admin = account("admin")
    for name in ("setRole", "setDisabled", "deleteUser"):
        client = scene.service.client_with_session(admin.session_id)
        assert scene.send(name, client, admin) == 409


def wait(scene: OperationClient) -> None:
    """Try wrong passwords and codes until no other try is allowed."""
    anonymous = scene.service.client()
    told: dict[str, Any]
    if isinstance(scene.service.mechanism, SessionAuth):
        names = ["logIn", "resetPassword"]
        form = {"password": "x", "code": "x", "new_password": "x"}
        told = {"data": {"email": scene.bob.email, **form}}
    else:
        names = scene.guarded()
        header = basic(scene.bob.user, "wrong")
        told = {"headers": {"Authorization": header}}
    for name in names:
        # The first refusal costs some tries, the others none.
        seen = [scene.send(name, anonymous, **told)]
        while seen[-1] != 429 and len(seen) < TRIES:
            seen.append(scene.send(name, anonymous, **told))
        assert seen[-1] == 429, name


def without_sessions(scene: OperationClient) -> None:
    """Ask a mechanism without sessions for some."""
    for name in (
        "logIn",
        "logOut",
        "refresh",
        "listSessions",
        "endOtherSessions",
        "endSession",
        "listSessionsOf",
        "endSessionsOf",
        "endAllSessions",
        "listAllSessions",
        "endAnySession",
    ):
        assert scene.send(name) == 404


def without_users(scene: OperationClient) -> None:
    """Request the account routes without a mechanism."""
    for name in ("showMe", "changeEmail", "changePassword"):
        assert scene.send(name) == 404


def fail(scene: OperationClient, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ask an application in which every view has a defect."""

    def broken(*_: Any, **__: Any) -> None:
        """Fail as a defect does."""
        raise KeyError("defect")

    app = scene.service.app
    for endpoint in app.view_functions:
        monkeypatch.setitem(app.view_functions, endpoint, broken)
    for name in scene.checker.operations:
        if name != "verify":
            assert scene.send(name) == 500
    monkeypatch.setattr(scene.service.mechanism, "session_cookie", broken)
    assert scene.send("verify") == 500


def lose_database(
    scene: OperationClient, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ask an application whose database is gone."""
    client, gone = scene.client(), f"sqlite:///{folder}/gone/vestibule.db"
    with monkeypatch.context() as moved:
        moved.setenv("DATABASE_URL", gone)
        engine.close()
        for name, status in sorted(scene.checker.described()):
            if status == 503:
                assert scene.send(name, client) == 503
    # The audit writer would retry, and write to the database of another test.
    engine.close()
