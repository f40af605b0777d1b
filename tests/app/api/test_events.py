#!/usr/bin/env python3
"""The security log: each event is written where it happens."""

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.app.api.conftest import Build
from tests.app.api.event_flows import FLOWS, NEED_MAIL, Scene
from tests.app.api.service import NEW, PASSWORD, session_id_of, stored_user
from tests.clocks import SetClock
from tests.mailbox import Mailbox
from tests.serving import COOKIE, LOGIN, ME, SESSIONS
from vestibule.accounts import totp
from vestibule.audit import log
from vestibule.audit.log import EventType
from vestibule.audit.writer import audit_writer
from vestibule.core.crypto import new_key
from vestibule.db.events import EventFilter, fetch_page
from vestibule.db.models.user import User
from vestibule.mail.outbox import MailSender

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


@pytest.fixture(autouse=True)
def with_key(monkeypatch: pytest.MonkeyPatch) -> None:
    """Set a key for the secrets of second factors."""
    monkeypatch.setenv("SECRETS_KEY", new_key())


@pytest.fixture
def scene(
    build: Build,
    set_clock: SetClock,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    event: EventType,
) -> Scene:
    """Return a scene, with a mail server if the event needs one."""
    monkeypatch.setattr(MailSender, "ensure_running", lambda self: None)
    mailbox = Mailbox(tmp_path / "mails")
    settings = {"PUBLIC_URL": "http://localhost"}
    if event in NEED_MAIL:
        settings = mailbox.settings() | {"WEB_PAGES": "on"}
    service = build("session_db_auth", THROTTLE="on", **settings)
    return Scene(service, set_clock, mailbox)


def test_each_event_type_has_a_test_flow() -> None:
    """None is declared that nothing writes.

    The end of a worker is none of a request: `tests/app/metrics` has it.
    """
    assert set(FLOWS) == set(EventType) - {EventType.WORKER_EXITED}


@pytest.mark.parametrize("event", FLOWS)
def test_event_is_logged_once_and_stored_without_secrets(
    scene: Scene,
    logged: Logged,
    security_lines: list[str],
    event: EventType,
) -> None:
    """The line has user, address, request and cause, and no secret."""
    secrets = [session_id_of(scene.client), session_id_of(scene.chief)]
    before = len(logged())
    act, fields = FLOWS[event]
    act(scene)
    lines = [one for one in logged()[before:] if one["event"] == event.value]
    assert len(lines) == 1
    assert_stored(event, lines[0])
    assert_no_secret(scene, secrets, security_lines)
    line = {**lines[0]}
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


def assert_stored(event: EventType, line: dict[str, Any]) -> None:
    """Check that the event is stored as logged, with the user agent."""
    assert audit_writer().flush()
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


def assert_no_secret(
    scene: Scene, secrets: list[str], lines: list[str]
) -> None:
    """Check that no password, code, seed or session id is in any line."""
    cookies = [
        client.get_cookie(COOKIE) for client in (scene.client, scene.chief)
    ]
    hidden = [
        *secrets,
        *scene.mailed,
        *(cookie.value for cookie in cookies if cookie),
        PASSWORD,
        NEW,
        "a wrong password",
    ]
    if hasattr(scene, "seed"):
        hidden.append(totp.key_of(scene.seed))
    for line in lines:
        assert not any(secret in line for secret in hidden)
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
    build: Build, logged: Logged
) -> None:
    """Otherwise any signed-in user could fill the log."""
    client = build("session_db_auth").client_for(stored_user())
    client.delete(SESSIONS)
    before = len(logged())
    for _ in range(3):
        assert client.delete(SESSIONS).get_json() == {"ended": 0}
    assert len(logged()) == before
