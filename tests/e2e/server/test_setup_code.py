#!/usr/bin/env python3
"""What a start prints while nobody has an account: where to go, a code."""

import pytest

from tests.conftest import Serve
from tests.serving import COOKIE, Server
from tests.startup_output import printed_setup_code
from vestibule.accounts.first_admin import create_first_admin
from vestibule.accounts.one_time_code import digest_of_code
from vestibule.db.engine import database
from vestibule.db.models.user import User
from vestibule.db.tables import SETUP_CODES
from vestibule.mechanisms.session_db_auth import SessionDBAuth
from vestibule.server.granian import _invitation

PAGES = {
    "AUTH_TYPE": "session_db_auth",
    "SESSION_NAME": COOKIE,
    "SESSION_DURATION": "60",
    "WEB_PAGES": "on",
}
NO_USER = "There is no user yet"


def printed_until_stopped(server: Server) -> str:
    """Return all that a server prints until it is told to end."""
    assert server.stop() == 0
    return "".join(server.output)


def test_a_start_without_users_prints_a_code(serve: Serve) -> None:
    """With the address; the code is good, and is stored as a digest."""
    server = serve(**PAGES)
    address, code = printed_setup_code(server)
    assert address == f"{server.url}/setup"
    stored = database().fetch_all(SETUP_CODES.select())
    assert [row.code_digest for row in stored] == [digest_of_code(code)]
    said = printed_until_stopped(server)
    assert said.count(code) == 1
    assert said.index(" * Running on ") < said.index(NO_USER)
    assert "users add" not in said
    create_first_admin(code, "ada@example.com", "violet umbrella")


def test_each_start_prints_a_code_of_its_own(serve: Serve) -> None:
    """The one before goes on, for whoever has written it down."""
    first = serve(**PAGES)
    codes = {printed_setup_code(first)[1]}
    first.stop()
    codes.add(printed_setup_code(serve(**PAGES))[1])
    assert len(codes) == 2
    assert len(database().fetch_all(SETUP_CODES.select())) == 2


@pytest.mark.parametrize(
    ("host", "shown"),
    [("0.0.0.0", "127.0.0.1"), ("::", "[::1]"), ("a.example", "a.example")],
)
def test_the_address_is_one_that_opens(
    monkeypatch: pytest.MonkeyPatch, host: str, shown: str
) -> None:
    """Not every browser takes the one that stands for all."""
    monkeypatch.setenv("WEB_PAGES", "on")
    said = _invitation(SessionDBAuth, host, 5000)
    assert f"     http://{shown}:5000/setup\n" in said


@pytest.mark.parametrize(
    "settings",
    [{"WEB_PAGES": "off"}, {"AUTH_TYPE": "basic_auth"}],
    ids=["no pages", "no sessions"],
)
def test_no_code_without_pages(serve: Serve, settings: dict[str, str]) -> None:
    """There would be nothing to type it into."""
    said = printed_until_stopped(serve(**PAGES | settings))
    assert NO_USER not in said
    assert "users add" in said
    assert database().fetch_all(SETUP_CODES.select()) == []


def test_no_code_once_there_is_a_user(serve: Serve) -> None:
    """However that user came."""
    User(email="bob@example.com").save()
    said = printed_until_stopped(serve(**PAGES))
    assert NO_USER not in said
    assert database().fetch_all(SETUP_CODES.select()) == []
