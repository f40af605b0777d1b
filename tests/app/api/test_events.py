#!/usr/bin/env python3
"""The security log: each event is written where it happens."""

import base64
import json
import re
from collections.abc import Callable
from typing import Any

import pytest

from tests.app.api.conftest import Build
from tests.app.api.service import (
    NEW,
    PASSWORD,
    RESET,
    Service,
    session_id_of,
    stored_user,
)
from tests.clocks import SetClock
from tests.serving import (
    COOKIE,
    LOGIN,
    LOGOUT,
    ME,
    REFRESH,
    SESSIONS,
    USERS,
)
from vestibule.accounts import totp
from vestibule.accounts.password_reset import issue_code
from vestibule.audit import log
from vestibule.audit.log import EventType
from vestibule.audit.writer import audit_writer
from vestibule.core.encryption import new_key
from vestibule.db.events import EventFilter, fetch_page
from vestibule.db.models.user import User

Logged = Callable[[], list[dict[str, Any]]]
#: Fields that an event may have beside time, event, request and address.
FIELDS = {
    "user",
    "by",
    "handle",
    "reason",
    "count",
    "path",
    "origin",
    "host",
    "retry_after",
}
MOMENT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}\+00:00")


class Scene:
    """An application with a user, an admin and their clients."""

    def __init__(self, service: Service, clock: SetClock) -> None:
        """Log in the user and the admin."""
        self.service, self.clock = service, clock
        self.user = stored_user()
        self.admin = stored_user("admin")
        self.client = service.client_for(self.user)
        self.chief = service.client_for(self.admin)
        self.path = f"{USERS}/{self.user.id}"
        (own,) = self.client.get(SESSIONS).get_json()
        self.handle = own["id"]

    def fail(self, times: int) -> None:
        """Log in with a wrong password several times."""
        for _ in range(times):
            self.service.log_in(self.user, "a wrong password")

    def replay(self) -> None:
        """Send the cookie of a session that ended."""
        session_id = session_id_of(self.client)
        self.client.delete(LOGOUT)
        self.service.client_with_session(session_id).get(ME)

    def unlock(self) -> None:
        """Fail to log in, and let the admin reset the failures."""
        self.fail(1)
        self.chief.delete(f"{self.path}/failures")

    def revoke_invitation(self) -> None:
        """Let the admin invite a user, and revoke that."""
        made = self.chief.post(
            "/api/v1/admin/users", json={"email": "ada@example.com"}
        ).get_json()
        self.invited = made["user"]["id"]
        self.chief.delete(f"/api/v1/admin/invitations/{self.invited}")

    def enroll(self) -> "Scene":
        """Enroll an app of the user; a minute passes; return the scene."""
        new = self.client.post(FACTORS, json={"name": "phone"}).get_json()
        self.factor = f"{FACTORS}/{new['id']}"
        self.seed = base64.b32decode(new["key"].replace(" ", ""))
        answer = self.client.post(f"{self.factor}/confirm", json=self.code())
        self.codes = answer.get_json()["recovery_codes"]
        self.clock.advance(60)
        return self

    def code(self, step: int = 0) -> dict[str, str]:
        """Return the code of the app, some steps from now, as a body."""
        now = totp.step_at(self.clock.moment)
        return {"code": totp.hotp(self.seed, now + step)}

    def second_factor(self, *bodies: dict[str, str]) -> None:
        """Enroll an app, log in, and give these as the second factor."""
        self.enroll()
        client, _ = self.service.log_in(self.user)
        for body in bodies or ({"code": "12345"},):
            client.post(SECOND_FACTOR, data=body)

    def switch_off(self) -> None:
        """Enroll an app, and mistype its code fifty times."""
        self.enroll()
        for _ in range(50):
            self.clock.advance(900)
            client, _ = self.service.log_in(self.user)
            client.post(SECOND_FACTOR, data={"code": "12345"})

    def recover(self) -> None:
        """Log in with a recovery code."""
        self.enroll()
        client, _ = self.service.log_in(self.user)
        code = {"recovery_code": self.codes[0]}
        client.post(SECOND_FACTOR, data=code)

    def reset(self) -> None:
        """Use a reset code."""
        self.service.client().post(
            RESET,
            data={
                "email": self.user.email,
                "new_password": NEW,
                "code": issue_code(self.user).code,
            },
        )


def _me(scene: Scene) -> dict[str, Any]:
    """Return the field of an event that names the user only."""
    return {"user": scene.user.id}


def _by(scene: Scene) -> dict[str, Any]:
    """Return the fields of an event in which the admin changed the user."""
    return {"user": scene.user.id, "by": scene.admin.id}


FACTORS = "/api/v1/auth_session/factors"
SECOND_FACTOR = "/api/v1/auth_session/second-factor"
RECOVERY_CODES = "/api/v1/auth_session/recovery-codes"
Fields = Callable[[Scene], dict[str, Any]]
#: For each event the requests that cause it, and its fields.
FLOWS: dict[EventType, tuple[Callable[[Scene], object], Fields]] = {
    EventType.LOGIN: (lambda s: s.service.client_for(s.user), _me),
    EventType.LOGIN_FAILED: (
        lambda s: s.fail(1),
        lambda s: _me(s) | {"reason": "wrong_password"},
    ),
    EventType.THROTTLED: (
        lambda s: s.fail(5),
        lambda s: _me(s) | {"retry_after": 1},
    ),
    EventType.REAUTHENTICATED: (
        lambda s: s.client.post(REFRESH, data={"password": PASSWORD}),
        _me,
    ),
    EventType.LOGOUT: (
        lambda s: s.client.delete(LOGOUT),
        lambda s: _me(s) | {"handle": s.handle},
    ),
    EventType.SESSION_REVOKED: (
        lambda s: s.client.delete(f"{SESSIONS}/{s.handle}"),
        lambda s: _me(s) | {"handle": s.handle},
    ),
    EventType.SESSIONS_REVOKED: (
        lambda s: s.chief.delete(f"{s.path}/sessions"),
        lambda s: _by(s) | {"count": 1},
    ),
    EventType.SESSION_REFUSED: (
        lambda s: s.replay(),
        lambda s: {"reason": "logged_out"},
    ),
    EventType.CROSS_SITE_REFUSED: (
        lambda s: s.client.delete(
            LOGOUT, headers={"Sec-Fetch-Site": "cross-site"}
        ),
        lambda s: {"path": LOGOUT, "host": "localhost"},
    ),
    EventType.ACCESS_DENIED: (
        lambda s: s.client.get(f"{s.path}/sessions"),
        lambda s: _me(s) | {"path": f"{s.path}/sessions", "reason": "policy"},
    ),
    EventType.CODE_REFUSED: (
        lambda s: s.service.client().post(
            RESET,
            data={
                "email": s.user.email,
                "new_password": NEW,
                "code": "WRONG",
            },
        ),
        lambda s: {"reason": "reset_code"},
    ),
    EventType.USER_ADDED: (
        lambda s: s.chief.post(
            USERS, json={"email": "new@example.com", "password": NEW}
        ),
        lambda s: {
            "by": s.admin.id,
            "user": User.search({"email": "new@example.com"})[0].id,
        },
    ),
    EventType.USER_REMOVED: (lambda s: s.chief.delete(s.path), _by),
    EventType.USER_DISABLED: (
        lambda s: s.chief.put(f"{s.path}/disabled", json={"disabled": True}),
        _by,
    ),
    EventType.USER_ENABLED: (
        lambda s: s.chief.put(f"{s.path}/disabled", json={"disabled": False}),
        _by,
    ),
    EventType.ROLE_CHANGED: (
        lambda s: s.chief.put(f"{s.path}/role", json={"role": "admin"}),
        lambda s: _by(s) | {"reason": "admin"},
    ),
    EventType.EMAIL_CHANGED: (
        lambda s: s.client.put(
            f"{ME}/email", json={"email": "new@example.com"}
        ),
        _me,
    ),
    EventType.EMAIL_REFUSED: (
        lambda s: s.client.put(f"{ME}/email", json={"email": s.admin.email}),
        lambda s: _me(s) | {"reason": "taken"},
    ),
    EventType.PASSWORD_CHANGED: (
        lambda s: s.client.put(
            f"{ME}/password",
            json={"current_password": PASSWORD, "new_password": NEW},
        ),
        _me,
    ),
    EventType.USER_UNLOCKED: (lambda s: s.unlock(), _by),
    EventType.RESET_CODE_ISSUED: (
        lambda s: s.chief.post(f"{s.path}/password-reset"),
        _by,
    ),
    EventType.PASSWORD_RESET: (lambda s: s.reset(), _me),
    EventType.INVITATION_REVOKED: (
        lambda s: s.revoke_invitation(),
        lambda s: {"user": s.invited, "by": s.admin.id},
    ),
    EventType.SECOND_FACTOR_REQUIRED: (lambda s: s.second_factor(), _me),
    EventType.SECOND_FACTOR_REFUSED: (lambda s: s.second_factor(), _me),
    EventType.FACTOR_ADDED: (
        lambda s: s.enroll(),
        lambda s: _me(s) | {"reason": "totp"},
    ),
    EventType.FACTOR_REMOVED: (
        lambda s: s.enroll().client.delete(s.factor),
        lambda s: _me(s) | {"reason": "totp"},
    ),
    EventType.FACTOR_SWITCHED_OFF: (
        lambda s: s.switch_off(),
        lambda s: _me(s) | {"reason": "totp"},
    ),
    EventType.RECOVERY_CODE_USED: (
        lambda s: s.recover(),
        lambda s: _me(s) | {"count": 9},
    ),
    EventType.RECOVERY_CODES_REPLACED: (
        lambda s: s.enroll().client.post(RECOVERY_CODES),
        _me,
    ),
}


@pytest.fixture(autouse=True)
def with_key(monkeypatch: pytest.MonkeyPatch) -> None:
    """Set a key for the secrets of second factors."""
    monkeypatch.setenv("SECRETS_KEY", new_key())


def test_each_event_type_has_a_test_flow() -> None:
    """None is declared that nothing writes.

    The end of a worker is none of a request: `tests/app/metrics` has it.
    """
    assert set(FLOWS) == set(EventType) - {EventType.WORKER_EXITED}


@pytest.mark.parametrize("event", FLOWS)
def test_event_is_logged_once_with_its_fields(
    build: Build, set_clock: SetClock, logged: Logged, event: EventType
) -> None:
    """The line has user, address, request and cause."""
    scene = Scene(build("session_db_auth", THROTTLE="on"), set_clock)
    before = len(logged())
    act, fields = FLOWS[event]
    act(scene)
    (line,) = [one for one in logged()[before:] if one["event"] == event.value]
    assert MOMENT.fullmatch(line.pop("time"))
    assert line.pop("ip") == "127.0.0.1"
    assert re.fullmatch(r"[0-9a-f-]{36}", line.pop("request"))
    del line["event"]
    wanted = fields(scene)
    if event is EventType.LOGIN:
        handle = line.pop("handle")
        assert handle in {
            one["id"] for one in scene.client.get(SESSIONS).get_json()
        }
    assert line == wanted
    assert set(line) <= FIELDS


@pytest.mark.parametrize("event", FLOWS)
def test_event_is_stored_as_logged(
    build: Build, set_clock: SetClock, logged: Logged, event: EventType
) -> None:
    """The stored event also has the client's user agent."""
    scene = Scene(build("session_db_auth", THROTTLE="on"), set_clock)
    FLOWS[event][0](scene)
    assert audit_writer().flush()
    line = [one for one in logged() if one["event"] == event.value][-1]
    kept = fetch_page(EventFilter(kind=event.value), 1).events[0]
    assert kept.at.isoformat(timespec="milliseconds") == line["time"]
    assert (kept.ip, kept.network) == (line["ip"], "127.0.0.1/32")
    assert kept.user_agent is not None
    assert kept.user_agent.startswith("Werkzeug/")
    assert (kept.user_id, kept.handle, kept.reason, kept.count) == tuple(
        line.get(name) for name in ("user", "handle", "reason", "count")
    )
    by = line.get("by")
    assert kept.by_id == (None if by == kept.user_id else by)


@pytest.mark.parametrize("event", FLOWS)
def test_event_contains_no_secret(
    build: Build,
    set_clock: SetClock,
    security_lines: list[str],
    event: EventType,
) -> None:
    """No password, code or session id is in any line."""
    scene = Scene(build("session_db_auth", THROTTLE="on"), set_clock)
    secrets = [session_id_of(scene.client), session_id_of(scene.chief)]
    FLOWS[event][0](scene)
    for client in (scene.client, scene.chief):
        cookie = client.get_cookie(COOKIE)
        secrets += [cookie.value] if cookie else []
    for line in security_lines:
        if hasattr(scene, "seed"):
            assert totp.key_of(scene.seed) not in line
        for secret in (*secrets, PASSWORD, NEW, "a wrong password"):
            assert secret not in line
        assert not re.search("([0-9A-Z]{4}-){6}", line)


def test_client_input_cannot_forge_log_lines(
    build: Build, security_lines: list[str]
) -> None:
    """Clients send line breaks, quotes and control characters."""
    service = build("session_db_auth")
    evil = 'x\n{"event": "login", "user": "admin"}\r\x1b[2J\u2028'
    service.client().post(
        LOGIN,
        data={"email": evil, "password": evil},
        headers={"User-Agent": 'a"}{"event": "login"}'},
    )
    service.client().post(
        "/api/v1/%0a%7b%22event%22%3a%22login%22%7d%e2%80%a8",
        headers={"Sec-Fetch-Site": "cross-site"},
    )
    service.client().get(ME, headers={"Authorization": "\x1b[2J"})
    assert [json.loads(line)["event"] for line in security_lines] == [
        "login_failed",
        "cross_site_refused",
        "session_refused",
    ]
    for line in security_lines:
        assert line.isascii()
        assert line.isprintable()


def test_login_with_unknown_email_is_logged_without_it(
    build: Build, logged: Logged
) -> None:
    """The line has the reason, and not what was typed."""
    service = build("session_db_auth")
    service.log_in(User(email="hunter2@example.com"))
    (line,) = logged()
    assert (line["event"], line["reason"]) == ("login_failed", "unknown_email")
    assert "user" not in line
    assert "hunter2" not in str(line)


def test_requests_have_distinct_ids(build: Build, logged: Logged) -> None:
    """Two logins are logged with two request ids."""
    service = build("session_db_auth")
    user = stored_user()
    service.client_for(user)
    service.client_for(user)
    first, second = (one["request"] for one in logged())
    assert first != second


def test_event_of_script_has_no_request(logged: Logged) -> None:
    """Its line has neither a request nor an address."""
    log.begin_request(None)
    log.log(EventType.USER_ADDED, user="u", by=None)
    (line,) = logged()
    assert set(line) == {"time", "event", "user"}


def test_revoking_no_session_logs_nothing(
    build: Build, set_clock: SetClock, logged: Logged
) -> None:
    """Otherwise any signed-in user could fill the log."""
    scene = Scene(build("session_db_auth"), set_clock)
    scene.client.delete(SESSIONS)
    before = len(logged())
    for _ in range(3):
        assert scene.client.delete(SESSIONS).get_json() == {"ended": 0}
    assert len(logged()) == before
