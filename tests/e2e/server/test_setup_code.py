#!/usr/bin/env python3
"""The setup code that a start prints while there is no user."""

import pytest

from tests.conftest import Serve
from tests.serving import DB_SESSIONS, Server
from tests.startup_output import printed_setup_code
from vestibule.accounts.permissions import LOCAL
from vestibule.accounts.users import create_first_admin
from vestibule.core.crypto import digest_of_code
from vestibule.db.engine import database
from vestibule.db.models.user import User
from vestibule.db.tables import SETUP_CODES
from vestibule.mechanisms.auth import Auth
from vestibule.mechanisms.basic_auth import BasicAuth
from vestibule.mechanisms.session_db_auth import SessionDBAuth
from vestibule.server.granian import _setup_invitation

WEB_SETTINGS = {
    **DB_SESSIONS,
    "SESSION_DURATION": "60",
    "WEB_PAGES": "on",
}
NO_USER = "There is no user yet"


def printed_until_stopped(server: Server) -> str:
    """Stop a server and return all its output."""
    assert server.stop() == 0
    return "".join(server.output)


def test_start_without_users_prints_setup_code(serve: Serve) -> None:
    """The output has the setup address and a valid code; only the code's
    digest is stored.
    """
    server = serve(**WEB_SETTINGS)
    address, code = printed_setup_code(server)
    assert address == f"{server.url}/setup"
    stored = database().fetch_all(SETUP_CODES.select())
    assert [row.code_digest for row in stored] == [digest_of_code(code)]
    said = printed_until_stopped(server)
    assert said.count(code) == 1
    assert said.index(" * Running on ") < said.index(NO_USER)
    assert "users add" not in said
    create_first_admin(code, "ada@example.com", "violet umbrella", actor=LOCAL)


@pytest.mark.parametrize(
    ("host", "shown"),
    [("0.0.0.0", "127.0.0.1"), ("::", "[::1]"), ("a.example", "a.example")],
)
def test_setup_address_can_be_opened(
    monkeypatch: pytest.MonkeyPatch, host: str, shown: str
) -> None:
    """A wildcard address is shown as the loopback address."""
    monkeypatch.setenv("WEB_PAGES", "on")
    said = _setup_invitation(SessionDBAuth, host, 5000)
    assert f"     http://{shown}:5000/setup#code=" in said


@pytest.mark.parametrize(
    ("public_url", "base_path", "shown"),
    [
        ("", "/auth", "http://127.0.0.1:5000/auth/setup#code="),
        ("https://a.example", "", "https://a.example/setup#code="),
        ("https://a.example/auth", "/auth", "https://a.example/auth/setup#"),
        ("https://a.example/auth/", "/auth", "https://a.example/auth/setup#"),
    ],
)
def test_setup_address_is_the_public_one(
    monkeypatch: pytest.MonkeyPatch,
    public_url: str,
    base_path: str,
    shown: str,
) -> None:
    """Behind a proxy people reach neither the port nor the bare path."""
    monkeypatch.setenv("WEB_PAGES", "on")
    monkeypatch.setenv("PUBLIC_URL", public_url)
    monkeypatch.setenv("BASE_PATH", base_path)
    said = _setup_invitation(SessionDBAuth, "0.0.0.0", 5000)
    assert f"     {shown}" in said


@pytest.mark.parametrize(
    ("mechanism", "pages"), [(SessionDBAuth, "off"), (BasicAuth, "on")]
)
def test_no_code_without_web_pages(
    monkeypatch: pytest.MonkeyPatch, mechanism: type[Auth], pages: str
) -> None:
    """Without pages, or without sessions, there is no code to print."""
    monkeypatch.setenv("WEB_PAGES", pages)
    assert NO_USER not in _setup_invitation(mechanism, "127.0.0.1", 5000)
    assert database().fetch_all(SETUP_CODES.select()) == []


def test_no_code_if_user_exists(monkeypatch: pytest.MonkeyPatch) -> None:
    """A service with a user prints no setup code."""
    User(email="bob@example.com").save()
    monkeypatch.setenv("WEB_PAGES", "on")
    assert NO_USER not in _setup_invitation(SessionDBAuth, "127.0.0.1", 5000)
    assert database().fetch_all(SETUP_CODES.select()) == []
