#!/usr/bin/env python3
"""Each way of starting within another program runs the same checks.

`tests/e2e/server/test_entry_points.py` starts gunicorn and `flask run`.
"""

from collections.abc import Callable

import pytest
from flask import Flask

from tests.serving import COOKIE
from vestibule.api import app as app_module
from vestibule.checks import startup
from vestibule.core import settings
from vestibule.core.errors import ConfigurationError
from vestibule.flask import Login
from vestibule.mechanisms import mechanism_for
from vestibule.protect.in_process import InProcess

pytestmark = pytest.mark.usefixtures("on_sqlite", "no_warning_logged_yet")

#: Starts in this process, as another program does.
STARTS: dict[str, Callable[[], object]] = {
    "another WSGI server": lambda: app_module._built.__wrapped__(),
    "vestibule.flask": lambda: Login(Flask("notes")),
    "vestibule.protect": InProcess,
}
#: Settings that our own server refuses.
REFUSED = {
    "value": {"BLOCKING_THREADS": "many"},
    "proxies": {"TRUSTED_PROXIES": "localhost"},
    "prefix": {"SECURITY_PROFILE": "hardened"},
    "domain": {"COOKIE_DOMAIN": "example.com", "SESSION_NAME": "__Host-s"},
    "workers": {"AUTH_TYPE": "session_auth", "WORKERS": "2"},
}
#: Settings of which our own server warns.
WARNED = {
    "any client counts as a proxy": {"TRUSTED_PROXIES": "0.0.0.0/0,::/0"},
    "SESSION_DURATON, which is no setting": {"SESSION_DURATON": "60"},
    "CORS_ORIGINS is empty": {"CORS_ORIGINS": ""},
}


@pytest.fixture
def no_warning_logged_yet() -> None:
    """Let this process log the warnings of the settings again."""
    startup.log_settings_warnings.cache_clear()


def with_sessions(
    monkeypatch: pytest.MonkeyPatch, more: dict[str, str]
) -> str:
    """Set what a service with sessions needs, and `more`.

    Return the message with which our own server refuses it; empty if it
    starts.
    """
    given = {"AUTH_TYPE": "session_db_auth", "SESSION_NAME": COOKIE} | more
    for name, value in given.items():
        monkeypatch.setenv(name, value)
    try:
        startup.check_settings(mechanism_for(settings.AUTH_TYPE.read()))
    except ConfigurationError as refused:
        return str(refused)
    return ""


@pytest.mark.parametrize("way", STARTS)
@pytest.mark.parametrize("kind", REFUSED)
def test_each_start_refuses_what_our_server_refuses(
    way: str, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The message is the same one."""
    message = with_sessions(monkeypatch, REFUSED[kind])
    assert message
    with pytest.raises(ConfigurationError) as refused:
        STARTS[way]()
    assert str(refused.value) == message


@pytest.mark.parametrize("way", STARTS)
@pytest.mark.parametrize("message", WARNED)
def test_each_start_warns_as_our_server_does(
    way: str,
    message: str,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """The line has the same text, and comes once."""
    assert with_sessions(monkeypatch, WARNED[message]) == ""
    (line,) = [
        warning
        for warning in startup.startup_warnings(
            mechanism_for("session_db_auth")
        )
        if message in warning
    ]
    STARTS[way]()
    assert caplog.messages.count(line) == 1


def test_application_in_process_hears_nothing_of_the_services_own_settings(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Sessions last as long as the service says, not this environment."""
    assert with_sessions(monkeypatch, {}) == ""
    InProcess()
    assert "sessions never expire" not in caplog.text
    Login(Flask("notes"))
    assert "sessions never expire" in caplog.text
