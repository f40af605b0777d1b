#!/usr/bin/env python3
"""Fixtures: an application for each mechanism, and its security log."""

import json
import logging
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.app.api.factor_owner import Owner
from tests.app.api.service import WITH_SESSIONS, Service, build_service
from tests.clocks import SetClock
from tests.mailbox import Mailbox
from tests.serving import COOKIE
from vestibule.accounts.authentication import hash_queue
from vestibule.accounts.throttle import throttle
from vestibule.api import app as app_module
from vestibule.audit.log import begin_request
from vestibule.core.client_info import LOCAL_CLIENT, set_client
from vestibule.core.crypto import new_key
from vestibule.core.logging import AUDIT_LOGGER
from vestibule.mail.outbox import MailSender
from vestibule.mechanisms.session_auth import SessionAuth
from vestibule.sessions.sweeper import Sweeper

Build = Callable[..., Service]


@pytest.fixture(autouse=True)
def fresh_process(
    on_sqlite: str, monkeypatch: pytest.MonkeyPatch
) -> Iterator[None]:
    """Give each test the state of a new process."""
    monkeypatch.setattr(SessionAuth, "user_id_by_session_id", {})
    monkeypatch.setattr(SessionAuth, "_memory", type(SessionAuth._memory)())
    # A sweep would run in parallel, with the real clock.
    monkeypatch.setattr(Sweeper, "ensure_running", lambda self: None)
    hash_queue.cache_clear()
    throttle.cache_clear()
    yield
    hash_queue.cache_clear()
    throttle.cache_clear()
    set_client(LOCAL_CLIENT)
    begin_request(None)


@pytest.fixture
def build(monkeypatch: pytest.MonkeyPatch) -> Build:
    """Return a function that builds the application of a mechanism."""

    def make(auth_type: str | None, **settings: str) -> Service:
        """Build it with these settings, by default without throttle."""
        defaults = {"SESSION_NAME": COOKIE, "THROTTLE": "off"}
        for name, value in (defaults | settings).items():
            monkeypatch.setenv(name, value)
        service = build_service(app_module, auth_type)
        # `setattr` would first call the module's `__getattr__`.
        monkeypatch.setitem(vars(app_module), "auth", service.mechanism)
        return service

    return make


@pytest.fixture(params=WITH_SESSIONS)
def service(request: pytest.FixtureRequest, build: Build) -> Service:
    """Return an application with each mechanism that has sessions."""
    return build(request.param)


@pytest.fixture
def security_lines() -> Iterator[list[str]]:
    """Return the lines of the security log, as they are written."""
    lines: list[str] = []
    handler = logging.Handler()
    handler.emit = (  # type: ignore[method-assign]
        lambda record: lines.append(record.getMessage())
    )
    logger = logging.getLogger(AUDIT_LOGGER)
    before = logger.level
    logger.addHandler(handler)
    logger.setLevel(logging.INFO)
    yield lines
    logger.removeHandler(handler)
    logger.setLevel(before)


@pytest.fixture
def logged(security_lines: list[str]) -> Callable[[], list[dict[str, Any]]]:
    """Return a function that returns the logged events as dictionaries."""
    return lambda: [json.loads(line) for line in security_lines]


@pytest.fixture
def mailbox(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Mailbox:
    """Send mails to a folder, only when the test says so."""
    monkeypatch.setattr(MailSender, "ensure_running", lambda self: None)
    mails = Mailbox(tmp_path / "mails")
    mails.configure(monkeypatch)
    return mails


@pytest.fixture
def with_key(monkeypatch: pytest.MonkeyPatch, set_clock: SetClock) -> None:
    """Set a key for secrets, and stop the clock."""
    monkeypatch.setenv("SECRETS_KEY", new_key())


@pytest.fixture
def owner(with_key: None, set_clock: SetClock) -> Owner:
    """Store a user with an app, whose next code is not used yet."""
    made = Owner()
    set_clock.advance(30)
    return made
