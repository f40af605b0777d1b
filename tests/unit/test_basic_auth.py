#!/usr/bin/env python3
"""`BasicAuth`: from a header to a user, step by step."""

import base64
from typing import Any

import pytest
from flask import Flask, request
from hypothesis import given
from hypothesis import strategies as st

from tests.fake_requests import FakeRequest, with_authorization
from vestibule.accounts.authentication import HashQueue
from vestibule.core.client_info import LOCAL_CLIENT, current_client
from vestibule.core.errors import ServiceBusy
from vestibule.db.models.user import User
from vestibule.mechanisms.basic_auth import BasicAuth

pytestmark = pytest.mark.usefixtures("on_sqlite")

AUTH = BasicAuth()
#: Text that has UTF-8, and no colon.
EMAILS = st.text(
    st.characters(exclude_characters=":", exclude_categories=["Cs"])
)
NO_TEXT: list[Any] = [None, 89, b"Basic YQ==", [], {}, object()]


def _header(email: str, password: str) -> str:
    """Return the header that a client makes of email and password."""
    pair = f"{email}:{password}".encode()
    return f"Basic {base64.b64encode(pair).decode()}"


def _read(header: Any) -> tuple[str | None, str | None]:
    """Return the credentials of `header`, by the three steps."""
    encoded = AUTH.extract_base64_authorization_header(header)
    decoded = AUTH.decode_base64_authorization_header(encoded)
    return AUTH.extract_user_credentials(decoded)


@pytest.fixture
def bob() -> User:
    """Return a stored user with a password of several colons."""
    user = User(email="bob@hbtn.io")
    user.password = "H0lberton:School:98!"
    user.save()
    return user


@given(EMAILS, st.text(st.characters(exclude_categories=["Cs"])))
def test_email_and_password_are_read_unchanged(
    email: str, password: str
) -> None:
    """Any email without colon and any password come out as they went in."""
    assert _read(_header(email, password)) == (email, password)


@given(
    st.text()
    | st.binary()
    | st.text().map(lambda t: f"Basic {t}")
    | st.binary().map(lambda b: f"Basic {base64.b64encode(b).decode()}")
)
def test_no_header_raises_an_error(header: str | bytes) -> None:
    """No text and no bytes make any of the steps fail."""
    email, password = _read(header)
    assert (email is None) is (password is None)
    assert (
        AUTH.extract_base64_authorization_header(
            header  # type: ignore[arg-type]
        )
        in (None, header[6:])
    )


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        ("Basic SG9sYmVydG9u", "SG9sYmVydG9u"),
        ("Basic ", ""),
        ("Basic  a", " a"),
        ("Basic1234", None),
        ("Basic", None),
        ("basic a", None),
        (" Basic a", None),
        ("Bearer a", None),
        ("", None),
        *[(odd, None) for odd in NO_TEXT],
    ],
)
def test_base64_part_follows_the_scheme(
    header: Any, expected: str | None
) -> None:
    """It follows the scheme and one blank."""
    assert AUTH.extract_base64_authorization_header(header) == expected


@pytest.mark.parametrize(
    ("encoded", "expected"),
    [
        ("SG9sYmVydG9u", "Holberton"),
        ("", ""),
        ("w6k=", "\u00e9"),
        ("w6k", None),
        ("SG9s bmVy", None),
        ("SG9s\n", None),
        ("/w==", None),
        ("7aCA", None),
        ("Holberton School", None),
        ("\u00e9", None),
        ("\ud800", None),
        *[(odd, None) for odd in NO_TEXT],
    ],
)
def test_only_base64_of_utf8_is_decoded(
    encoded: Any, expected: str | None
) -> None:
    """Only Base64 of UTF-8 stands for a text."""
    assert AUTH.decode_base64_authorization_header(encoded) == expected


@pytest.mark.parametrize(
    ("decoded", "expected"),
    [
        ("a:b", ("a", "b")),
        ("a:b:c", ("a", "b:c")),
        (":", ("", "")),
        ("a:", ("a", "")),
        ("a", (None, None)),
        ("", (None, None)),
        *[(odd, (None, None)) for odd in NO_TEXT],
    ],
)
def test_first_colon_ends_the_email(
    decoded: Any, expected: tuple[Any, Any]
) -> None:
    """The first colon parts email and password."""
    assert AUTH.extract_user_credentials(decoded) == expected


def test_right_credentials_return_the_user(bob: User) -> None:
    """With a wrong password the result is None."""
    find = AUTH.user_object_from_credentials
    assert find("bob@hbtn.io", "H0lberton:School:98!") == bob
    assert find(" BOB@hbtn.io", "H0lberton:School:98!") == bob
    assert find("bob@hbtn.io", "H0lberton") is None
    assert find("ann@hbtn.io", "H0lberton:School:98!") is None
    assert find("\ud800", "\ud800") is None
    for odd in NO_TEXT:
        assert find(odd, "H0lberton:School:98!") is None
        assert find("bob@hbtn.io", odd) is None


def test_empty_database_has_no_user() -> None:
    """No user is found, and nothing fails."""
    assert AUTH.user_object_from_credentials("a@b.c", "secret") is None


def test_request_header_identifies_the_user(bob: User) -> None:
    """All steps in a row, from the header on."""
    header = _header("bob@hbtn.io", "H0lberton:School:98!")
    assert AUTH.current_user(with_authorization(header)) == bob
    for other in [
        None,
        FakeRequest(),
        with_authorization("Test"),
        with_authorization(header[:-4]),
        with_authorization(_header("bob@hbtn.io", "wrong")),
    ]:
        assert AUTH.current_user(other) is None


def test_full_hash_queue_raises_service_busy(
    bob: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The client is told to try again; it is not refused."""
    turns = HashQueue(1, 0)
    monkeypatch.setattr(
        "vestibule.accounts.authentication.hash_queue", lambda: turns
    )
    with turns.turn(), pytest.raises(ServiceBusy):
        AUTH.current_user(with_authorization(_header("bob@hbtn.io", "x")))


def test_each_step_can_be_overridden(bob: User) -> None:
    """`current_user` calls the object's own methods."""

    class Reversed(BasicAuth):
        """A mechanism whose clients reverse the header."""

        def authorization_header(self, request: Any = None) -> str | None:
            """Return the header reversed."""
            header = super().authorization_header(request)
            return None if header is None else header[::-1]

    header = _header("bob@hbtn.io", "H0lberton:School:98!")
    visit = with_authorization(header[::-1])
    assert Reversed().current_user(visit) == bob


def test_guesses_in_another_flask_application_are_throttled(
    bob: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An application that uses the class alone has the throttle too: after
    some wrong passwords the right one is refused for a while.
    """
    monkeypatch.setenv("THROTTLE", "on")
    app = Flask(__name__)

    def passes(password: str) -> bool:
        """Return True if a request with this password has a user."""
        with app.test_request_context(
            headers={"Authorization": _header("bob@hbtn.io", password)},
            environ_base={"REMOTE_ADDR": "203.0.113.7"},
        ):
            return AUTH.current_user(request) is not None

    assert passes("H0lberton:School:98!")
    assert not any(passes(f"wrong {number}") for number in range(6))
    assert not passes("H0lberton:School:98!")
    assert current_client() is LOCAL_CLIENT
