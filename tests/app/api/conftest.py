#!/usr/bin/env python3
"""Fixtures: an application for each mechanism, and what it logs."""

import json
import logging
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.app.api.service import WITH_SESSIONS, Service, build_service
from tests.clocks import SetClock
from tests.serving import COOKIE
from vestibule.accounts.authentication import hash_queue
from vestibule.accounts.throttle import throttle
from vestibule.api import app as app_module
from vestibule.audit.log import begin_request
from vestibule.core.client_info import LOCAL_CLIENT, set_client
from vestibule.core.logging import AUDIT_LOGGER
from vestibule.mechanisms.session_auth import SessionAuth
from vestibule.sessions.sweeper import Sweeper

Build = Callable[..., Service]


@pytest.fixture(autouse=True)
def fresh_process(
    on_sqlite: str, monkeypatch: pytest.MonkeyPatch
) -> Iterator[None]:
    """Let each test find what a process has when it starts."""
    monkeypatch.setattr(SessionAuth, "user_id_by_session_id", {})
    monkeypatch.setattr(SessionAuth, "_memory", type(SessionAuth._memory)())
    # A sweep would run beside the test, on a clock that is not the test's.
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
        """Build it with these settings; it does not throttle by itself."""
        defaults = {"SESSION_NAME": COOKIE, "THROTTLE": "off"}
        for name, value in (defaults | settings).items():
            monkeypatch.setenv(name, value)
        service = build_service(app_module, auth_type)
        # Not `setattr`: that would ask the module for its own first.
        monkeypatch.setitem(vars(app_module), "auth", service.mechanism)
        return service

    return make


@pytest.fixture(params=WITH_SESSIONS)
def service(request: pytest.FixtureRequest, build: Build) -> Service:
    """Return an application of each mechanism that has sessions."""
    return build(request.param)


@pytest.fixture
def set_clock(monkeypatch: pytest.MonkeyPatch) -> SetClock:
    """Return a clock that stands still until the test moves it."""
    return SetClock().install(monkeypatch)


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
    """Return a function that gives what was logged, each line parsed."""
    return lambda: [json.loads(line) for line in security_lines]
