#!/usr/bin/env python3
"""Every status that is described was answered, and no other was.

Who adds a route adds its declaration, and a well-formed request to
`tests.app.openapi.scene` if it has a body.
"""

from pathlib import Path
from typing import Any

import pytest

from tests.app.api.conftest import Build
from tests.app.api.house import basic
from tests.app.openapi.scene import BODIES, Scene, demote_all
from tests.app.openapi.witness import Witness
from tests.clocks import SetClock
from tests.e2e.server.accounts import account, handle_of
from vestibule.api.app import MAX_BODY_BYTES
from vestibule.api.openapi.operation import ALL, FORM, JSON
from vestibule.db import engine
from vestibule.mechanisms.session_auth import SessionAuth

SWITCHED = {"IDENTITY_HEADER": "on"}
#: Wrong tries after which everybody has to wait.
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


def test_every_status_was_seen(
    build: Build,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    moved_clock: SetClock,
) -> None:
    """Of each operation, and every header; none that is not described."""
    house = build("session_db_auth", **SWITCHED)
    witness = Witness(house)
    scene = Scene(house, witness)
    succeed(scene)
    find_nothing(scene)
    refuse(scene)
    ask_amiss(scene)
    take_no_such_body(scene)
    demote_all()
    keep_an_admin(scene)
    for kind in ("session_db_auth", "basic_auth"):
        wait(Scene(build(kind, **SWITCHED, THROTTLE="on"), witness))
    without_sessions(Scene(build("basic_auth", **SWITCHED), witness))
    without_users(Scene(build(None, **SWITCHED), witness))
    fail(Scene(build("session_db_auth", **SWITCHED), witness), monkeypatch)
    scene = Scene(build("session_db_auth", **SWITCHED), witness)
    lose_database(scene, tmp_path, monkeypatch)
    assert witness.described() ^ witness.seen == set()
    assert set(ALL) - witness.headers == set()


def succeed(scene: Scene) -> None:
    """Ask each operation for what it is there for."""
    for name in scene.witness.operations:
        if name not in ("endSession", "resetPassword"):
            assert scene.send(name, target=account()) < 500
    admin = account("admin")
    client = scene.house.holder(admin.session_id)
    code = scene.witness.send(client, "issueReset", {"user_id": scene.bob.id})
    scene.code = code.get_json()["code"]
    assert scene.send("resetPassword") == 200
    own = {"handle": handle_of(admin.session_id)}
    assert scene.send("endSession", client, places=own) == 200
    other = {"handle": handle_of(account().session_id)}
    assert scene.send("endAnySession", places=other) == 200
    lines: dict[str, Any] = {"query_string": "format=jsonl"}
    assert scene.send("exportEvents", **lines) == 200
    assert scene.send("getStatus", base_url="https://app.example") == 200
    nobody = scene.house.client()
    for name in (
        "getDescription",
        "getViewer",
        "getViewerStyle",
        "getViewerScript",
    ):
        told = scene.witness.send(nobody, name, {}).headers["ETag"]
        assert scene.send(name, headers={"If-None-Match": told}) == 304
    page: dict[str, Any] = {"headers": {"Accept": "text/html"}}
    assert scene.send("verify", nobody, **page) == 302
    off: dict[str, Any] = {"query_string": "redirect=off"}
    assert scene.send("verify", nobody, **page, **off) == 401


def find_nothing(scene: Scene) -> None:
    """Ask about whom there is not, and log in as nobody."""
    for name, (_, path, _) in scene.witness.operations.items():
        if "{" in path:
            places = {"user_id": "nobody", "handle": "nobody"}
            assert scene.send(name, places=places) == 404
    for email, status in (("nobody@x.example", 404), (scene.bob.email, 401)):
        form = {"email": email, "password": "wrong"}
        assert scene.send("logIn", data=form) == status


def refuse(scene: Scene) -> None:
    """Ask as nobody, with what opens nothing, and from another site."""
    nobody = scene.house.client()
    for name in scene.guarded():
        assert scene.send(name, nobody) == 401
        test: dict[str, Any] = {"headers": {"Authorization": "Test"}}
        refused = 401 if name == "verify" else 403
        assert scene.send(name, nobody, **test) == refused
    site: dict[str, Any] = {"headers": {"Sec-Fetch-Site": "cross-site"}}
    for name, (method, _, _) in scene.witness.operations.items():
        if method != "GET":
            assert scene.send(name, **site) == 403
    session_id = account().session_id
    assert scene.send("logOut", scene.house.holder(session_id)) == 200
    assert scene.send("showMe", scene.house.holder(session_id)) == 403


def ask_amiss(scene: Scene) -> None:
    """Give each parameter that is refused by its name such a value."""
    refused = 0
    for name, (_, _, told) in scene.witness.operations.items():
        for one in told["parameters"]:
            if one["name"] in AMISS and "400" in told["responses"]:
                query = {one["name"]: AMISS[one["name"]]}
                assert scene.send(name, query_string=query) == 400, query
                refused += 1
    assert refused > len(AMISS)


def take_no_such_body(scene: Scene) -> None:
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


def keep_an_admin(scene: Scene) -> None:
    """Ask the last admin to be one no more, in each way there is."""
    admin = account("admin")
    for name in ("setRole", "setDisabled", "deleteUser"):
        client = scene.house.holder(admin.session_id)
        assert scene.send(name, client, admin) == 409


def wait(scene: Scene) -> None:
    """Try wrong passwords and codes until no other try is allowed."""
    nobody = scene.house.client()
    told: dict[str, Any]
    if isinstance(scene.house.mechanism, SessionAuth):
        names = ["logIn", "resetPassword"]
        form = {"password": "x", "code": "x", "new_password": "x"}
        told = {"data": {"email": scene.bob.email, **form}}
    else:
        names = scene.guarded()
        header = basic(scene.bob.user, "wrong")
        told = {"headers": {"Authorization": header}}
    for name in names:
        # The first refusal costs some tries, the others none.
        seen = [scene.send(name, nobody, **told)]
        while seen[-1] != 429 and len(seen) < TRIES:
            seen.append(scene.send(name, nobody, **told))
        assert seen[-1] == 429, name


def without_sessions(scene: Scene) -> None:
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


def without_users(scene: Scene) -> None:
    """Ask for one's own account where nobody is known."""
    for name in ("showMe", "changeEmail", "changePassword"):
        assert scene.send(name) == 404


def fail(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ask an application in which every view has a defect."""

    def broken(*_: Any, **__: Any) -> None:
        """Fail as a defect does."""
        raise KeyError("defect")

    app = scene.house.app
    for endpoint in app.view_functions:
        monkeypatch.setitem(app.view_functions, endpoint, broken)
    for name in scene.witness.operations:
        if name != "verify":
            assert scene.send(name) == 500
    monkeypatch.setattr(scene.house.mechanism, "session_cookie", broken)
    assert scene.send("verify") == 500


def lose_database(
    scene: Scene, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ask an application whose database is gone."""
    client, gone = scene.client(), f"sqlite:///{folder}/gone/vestibule.db"
    with monkeypatch.context() as moved:
        moved.setenv("DATABASE_URL", gone)
        engine.close()
        for name, status in sorted(scene.witness.described()):
            if status == 503:
                assert scene.send(name, client) == 503
    # The journal would go on looking for it, and find somebody else's.
    engine.close()
