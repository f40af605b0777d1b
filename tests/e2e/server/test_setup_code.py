#!/usr/bin/env python3
"""The setup code that a start prints while there is no user."""

import pytest

from tests.conftest import Serve
from tests.serving import DB_SESSIONS, Server
from tests.startup_output import printed_setup_code
from vestibule.accounts.first_admin import create_first_admin
from vestibule.accounts.permissions import LOCAL
from vestibule.core.digest import digest_of_code
from vestibule.db.engine import database
from vestibule.db.models.user import User
from vestibule.db.tables import SETUP_CODES
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


def test_each_start_prints_new_code(serve: Serve) -> None:
    """The codes of earlier starts stay valid."""
    first = serve(**WEB_SETTINGS)
    codes = {printed_setup_code(first)[1]}
    first.stop()
    codes.add(printed_setup_code(serve(**WEB_SETTINGS))[1])
    assert len(codes) == 2
    assert len(database().fetch_all(SETUP_CODES.select())) == 2


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
    assert f"     http://{shown}:5000/setup\n" in said


@pytest.mark.parametrize(
    "settings",
    [{"WEB_PAGES": "off"}, {"AUTH_TYPE": "basic_auth"}],
    ids=["no pages", "no sessions"],
)
def test_no_code_without_web_pages(
    serve: Serve, settings: dict[str, str]
) -> None:
    """Without web pages the output names the command line instead."""
    said = printed_until_stopped(serve(**WEB_SETTINGS | settings))
    assert NO_USER not in said
    assert "users add" in said
    assert database().fetch_all(SETUP_CODES.select()) == []


def test_no_code_if_user_exists(serve: Serve) -> None:
    """A service with a user prints no setup code."""
    User(email="bob@example.com").save()
    said = printed_until_stopped(serve(**WEB_SETTINGS))
    assert NO_USER not in said
    assert database().fetch_all(SETUP_CODES.select()) == []
