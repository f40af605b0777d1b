#!/usr/bin/env python3
"""Each described status is returned, and no other.

A new route needs a declaration, and a well-formed request in
`tests.app.openapi.operation_client` if it has a body.
"""

import base64
from pathlib import Path
from typing import Any

import pytest

from tests.app.api.conftest import Build
from tests.app.api.service import PASSWORD, basic
from tests.app.openapi import factor_flow
from tests.app.openapi.missing_users import without_users
from tests.app.openapi.operation_client import (
    BODIES,
    OperationClient,
    demote_all,
)
from tests.app.openapi.passkey_flow import use_passkeys
from tests.app.openapi.response_checker import ResponseChecker
from tests.clocks import SetClock
from tests.e2e.server.accounts import account, handle_of, open_session
from tests.mailbox import Mailbox, token_of
from vestibule.accounts import totp
from vestibule.accounts.mail_flows import MAX_PER_NETWORK
from vestibule.accounts.permissions import LOCAL
from vestibule.accounts.recovery import issue_factor_reset
from vestibule.api.app import MAX_BODY_BYTES
from vestibule.api.openapi.operation import ALL, FORM, JSON
from vestibule.core import clock
from vestibule.core.crypto import new_key
from vestibule.db import engine
from vestibule.db.models.user import User
from vestibule.mail.outbox import MailSender
from vestibule.mechanisms.session_auth import SessionAuth

SWITCHED = {
    "IDENTITY_HEADER": "on",
    "IDENTITY_HOSTS": "localhost,127.0.0.1:*",
    "CLEAR_SITE_DATA": "cache",
    "PUBLIC_URL": "http://localhost",
    "PASSKEY_ORIGINS": "http://localhost",
}
NO_PASSKEYS = {"PASSKEY_ORIGINS": "", "PUBLIC_URL": ""}
#: Failures after which each client has to wait.
TRIES = 6
#: Operations with a body that do not exist without mail.
NEED_MAIL = {"askForReset", "confirmEmail", "undoEmailChange"}
#: Invalid values of a list's parameters.
AMISS = {
    "ids": "\0",
    "groups": "king",
    "redirect": "perhaps",
    "recent": "perhaps",
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


@pytest.mark.slow
def test_each_described_status_is_returned(
    build: Build,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    set_clock: SetClock,
) -> None:
    """Each header is seen too, and no undescribed status."""
    monkeypatch.setenv("SECRETS_KEY", new_key())
    service = build("session_db_auth", **SWITCHED)
    checker = ResponseChecker(service)
    scene = OperationClient(service, checker)
    succeed(scene)
    use_second_factor(scene)
    use_passkeys(scene)
    find_nothing(scene)
    refuse(scene)
    send_invalid_parameters(scene)
    send_invalid_bodies(scene, set(BODIES) - NEED_MAIL)
    demote_all()
    remove_last_admin(scene)
    for kind in ("session_db_auth", "basic_auth"):
        exceed_throttle(
            OperationClient(build(kind, **SWITCHED, THROTTLE="on"), checker)
        )
    without_sessions(
        OperationClient(build("basic_auth", **SWITCHED | NO_PASSKEYS), checker)
    )
    without_users(OperationClient(build(None, **SWITCHED), checker))
    monkeypatch.setattr(MailSender, "ensure_running", lambda self: None)
    mailbox = Mailbox(tmp_path / "mails")
    mailbox.configure(monkeypatch)
    switched = SWITCHED | mailbox.settings()
    scene = OperationClient(build("session_db_auth", **switched), checker)
    send_invalid_bodies(scene, NEED_MAIL)
    use_mail(scene, mailbox)
    fail(
        OperationClient(build("session_db_auth", **switched), checker),
        monkeypatch,
    )
    scene = OperationClient(build("session_db_auth", **switched), checker)
    lose_database(scene, tmp_path, monkeypatch)
    assert checker.described() ^ checker.seen == set()
    assert set(ALL) - checker.headers == set()


def succeed(scene: OperationClient) -> None:
    """Send a successful request for each operation."""
    for name in scene.checker.operations:
        if name not in ("endSession", "resetPassword"):
            assert scene.send(name, target=account()) < 500
    admin = account("admin")
    client = scene.service.client_with_session(admin.session_id)
    code = scene.checker.send(client, "issueReset", {"user_id": scene.bob.id})
    scene.code = code.get_json()["code"]
    assert scene.send("resetPassword") == 200
    open_session(admin.user)
    body = {"email": "revoked@example.com"}
    invited = scene.checker.send(client, "inviteUser", {}, json=body)
    place = {"user_id": invited.get_json()["user"]["id"]}
    assert scene.send("revokeInvitation", places=place) == 200
    one_of_two: dict[str, Any] = {"query_string": "limit=1"}
    assert scene.send("listSessions", client, **one_of_two) == 200
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
        etag = scene.checker.send(anonymous, name, {}).headers["ETag"]
        assert scene.send(name, headers={"If-None-Match": etag}) == 304
    page: dict[str, Any] = {"headers": {"Accept": "text/html"}}
    assert scene.send("verify", anonymous, **page) == 302
    off: dict[str, Any] = {"query_string": "redirect=off"}
    assert scene.send("verify", anonymous, **page, **off) == 401
    member = scene.service.client_with_session(account().session_id)
    rule: dict[str, Any] = {"query_string": "role=admin"}
    assert scene.send("verify", member, **rule) == 403
    recent: dict[str, Any] = {"query_string": "recent=on"}
    assert scene.send("verify", member, **recent) == 200


def use_second_factor(scene: OperationClient) -> None:
    """Enroll an app, sign in with it, mistype its code, and remove it."""
    owner = account()
    client = scene.service.client_with_session(owner.session_id)
    send, checker = scene.send, scene.checker
    new = checker.send(client, "addFactor", {}, json={"name": "x"}).get_json()
    seed = base64.b32decode(new["key"].replace(" ", ""))
    app = {"factor_id": new["id"]}

    def code(step: int) -> dict[str, str]:
        """Return the code of a step from now, as a body."""
        return {"code": totp.hotp(seed, totp.step_at(clock.now()) + step)}

    assert send("confirmFactor", client, places=app, json=code(-1)) == 200
    assert send("proveFactor", client, json=code(0)) == 200
    assert send("newRecoveryCodes", client) == 200
    assert send("nameFactor", client, places=app) == 200
    assert send("listFactors", client) == 200
    waiting = scene.service.client()
    assert send("logIn", waiting, owner) == 401
    factor_flow.use_trusted_browsers(scene, waiting, owner, code(1))
    assert send("logIn", waiting, owner) == 401
    for _ in range(6):
        assert send("giveSecondFactor", waiting, data=code(9)) == 401
    assert send("giveSecondFactor", waiting, data=code(1)) == 429
    assert send("listFactorsOf", target=owner) == 200
    issued = issue_factor_reset(owner.user, actor=LOCAL).code
    form = {"email": owner.user.email, "password": PASSWORD}
    anonymous = scene.service.client()
    assert send("resetFactors", anonymous, data=form | {"code": ""}) == 400
    assert send("resetFactors", anonymous, data=form | {"code": issued}) == 200
    form = {"email": account().user.email, "password": "wrong", "code": "x"}
    assert send("resetFactors", anonymous, data=form) == 401
    # An admin's session without a second factor, then with one.
    assert send("issueFactorReset") == 403
    chief = account("admin")
    client = scene.service.client_with_session(chief.session_id)
    new = checker.send(client, "addFactor", {}, json={"name": "x"}).get_json()
    seed = base64.b32decode(new["key"].replace(" ", ""))
    app = {"factor_id": new["id"]}
    assert send("confirmFactor", client, places=app, json=code(-1)) == 200
    assert send("issueFactorReset", client) == 200
    assert send("deleteFactor", client, places=app) == 200


def use_mail(scene: OperationClient, mailbox: Mailbox) -> None:
    """Confirm an email, change it, take that back; ask for too much."""
    owner, other = account(), account()
    client = scene.service.client_with_session(owner.session_id)
    assert scene.send("sendConfirmation", client) == 202
    (mail,) = mailbox.deliver()
    scene.token = token_of(mail)
    assert scene.send("confirmEmail") == 200
    undo = ""
    for email, status in (("taken@example.com", 200), (other.email, 409)):
        assert scene.send("changeEmail", client, json={"email": email}) == 202
        scene.token = token_of(mailbox.deliver()[-1])
        assert scene.send("confirmEmail") == status
        undo = undo or token_of(mailbox.deliver()[-1])
    # The previous email has another user by now, and then no longer.
    thief = User(email=owner.email)
    thief.save()
    scene.token = undo
    assert scene.send("undoEmailChange") == 409
    thief.remove()
    assert scene.send("undoEmailChange") == 200
    anonymous = scene.service.client()
    statuses = [scene.send("askForReset", anonymous) for _ in range(TRIES)]
    assert statuses[0] == 202
    for number in range(MAX_PER_NETWORK):
        form = {"email": f"{number}@example.com"}
        statuses.append(scene.send("askForReset", anonymous, data=form))
    assert statuses[-1] == 429


def find_nothing(scene: OperationClient) -> None:
    """Request unknown users, and log in with unknown emails."""
    for name, (_, path, _) in scene.checker.operations.items():
        if "{" in path:
            places = {"user_id": "unknown", "handle": "unknown"}
            places["factor_id"] = "unknown"
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


def send_invalid_parameters(scene: OperationClient) -> None:
    """Send an invalid value for each parameter."""
    refused = 0
    for name, (_, _, operation) in scene.checker.operations.items():
        for one in operation["parameters"]:
            if one["name"] in AMISS and "400" in operation["responses"]:
                query = {one["name"]: AMISS[one["name"]]}
                assert scene.send(name, query_string=query) == 400, query
                refused += 1
    assert refused > len(AMISS)


def send_invalid_bodies(scene: OperationClient, names: set[str]) -> None:
    """Send an invalid body to these operations, and one that is too large."""
    for name in sorted(names):
        kind, _ = BODIES[name]
        for written in [JSON] if kind == "json" else [FORM, JSON]:
            for content, status in (
                (b"", 400),
                (b"x" * (MAX_BODY_BYTES + 1), 413),
            ):
                more: dict[str, Any] = {
                    "json": None,
                    "content_type": written,
                }
                assert scene.send(name, data=content, **more) == status


def remove_last_admin(scene: OperationClient) -> None:
    """Demote, disable and delete the last admin."""
    admin = account("admin")
    for name in ("setRole", "setDisabled", "deleteUser", "deleteMe"):
        client = scene.service.client_with_session(admin.session_id)
        assert scene.send(name, client, admin) == 409


def exceed_throttle(scene: OperationClient) -> None:
    """Send wrong passwords and codes until the throttle refuses."""
    anonymous = scene.service.client()
    request: dict[str, Any]
    if isinstance(scene.service.mechanism, SessionAuth):
        names = ["logIn", "resetPassword", "resetFactors"]
        form = {"password": "x", "code": "x", "new_password": "x"}
        request = {"data": {"email": scene.bob.email, **form}}
    else:
        names = scene.guarded()
        header = basic(scene.bob.user, "wrong")
        request = {"headers": {"Authorization": header}}
    for name in names:
        # The first refusal takes some failures, the others none.
        seen = [scene.send(name, anonymous, **request)]
        while seen[-1] != 429 and len(seen) < TRIES:
            seen.append(scene.send(name, anonymous, **request))
        assert seen[-1] == 429, name


def without_sessions(scene: OperationClient) -> None:
    """Request sessions from a mechanism without sessions."""
    for name in (
        "logIn",
        "logOut",
        "refresh",
        "listSessions",
        "endOtherSessions",
        "endSession",
        *factor_flow.OPERATIONS,
        "listSessionsOf",
        "endSessionsOf",
        "endAllSessions",
        "listAllSessions",
        "endAnySession",
        "giveSecondFactor",
        "resetFactors",
        "listFactors",
        "addFactor",
        "proveFactor",
        "confirmFactor",
        "deleteFactor",
        "newRecoveryCodes",
        "getPasskeyOrigins",
        "getPasskeyOptions",
        "signInWithPasskey",
        "getSecondFactorOptions",
        "getProofOptions",
        "getNewPasskeyOptions",
        "addPasskey",
        "removePassword",
    ):
        assert scene.send(name) == 404


def fail(scene: OperationClient, monkeypatch: pytest.MonkeyPatch) -> None:
    """Send requests to an application whose views raise errors."""

    def broken(*_: Any, **__: Any) -> None:
        """Raise an error as a defect would."""
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
    """Send requests to an application whose database is lost."""
    client, gone = scene.client(), f"sqlite:///{folder}/gone/vestibule.db"
    # Without the cookie of a login that waits, nothing is looked up.
    client.set_cookie("vestibule_login", "x")
    with monkeypatch.context() as moved:
        moved.setenv("DATABASE_URL", gone)
        engine.close()
        wanted = {n for n, code in scene.checker.described() if code == 503}
        # Last, because its response deletes the cookie.
        for name in (*sorted(wanted - {"logOut"}), "logOut"):
            assert scene.send(name, client) == 503
    # The audit writer would retry, and write to the database of another test.
    engine.close()
