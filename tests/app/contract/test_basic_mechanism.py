#!/usr/bin/env python3
"""`BasicAuth`: the steps from a header to a user."""

import base64
from types import SimpleNamespace
from typing import Any

from api.v1.auth.auth import Auth
from api.v1.auth.basic_auth import BasicAuth
from models.user import User


def test_base64_part_is_extracted() -> None:
    """Only the text after `Basic ` is returned, unchanged."""
    extract = BasicAuth().extract_base64_authorization_header
    assert isinstance(BasicAuth(), Auth)
    assert extract("Basic Holberton School") == "Holberton School"
    assert extract("Basic SG9sYmVydG9u") == "SG9sYmVydG9u"
    assert extract("Basic ") == ""
    for wrong in (
        "Holberton School",
        "Basic1234",
        "Basic",
        "basic abc",
        "Bearer abc",
        " Basic abc",
        "",
    ):
        assert extract(wrong) is None
    for no_string in (None, 89, b"Basic abc"):
        assert extract(no_string) is None  # type: ignore[arg-type]


def test_base64_is_decoded() -> None:
    """Base64 of UTF-8 is decoded; anything else is `None`."""
    decode = BasicAuth().decode_base64_authorization_header
    assert decode("SG9sYmVydG9u") == "Holberton"
    assert decode("SG9sYmVydG9uIFNjaG9vbA==") == "Holberton School"
    assert decode(base64.b64encode("é:ß".encode()).decode()) == "é:ß"
    assert decode("") == ""
    for wrong in (
        "Holberton School",
        "SG9sYmVydG9uIFNjaG9",
        "é",
        "/w==",
        "!SG9sYmVydG9u",
    ):
        assert decode(wrong) is None
    for no_string in (None, 89, b"SG9sYmVydG9u"):
        assert decode(no_string) is None  # type: ignore[arg-type]


def test_credentials_are_split_at_first_colon() -> None:
    """A password may contain colons."""
    extract = BasicAuth().extract_user_credentials
    assert extract("bob@hbtn.io:toto1234") == ("bob@hbtn.io", "toto1234")
    assert extract("bob@hbtn.io:a:b: c") == ("bob@hbtn.io", "a:b: c")
    assert extract("bob@hbtn.io:") == ("bob@hbtn.io", "")
    assert extract(":") == ("", "")
    for wrong in ("Holberton School", "", None, 89, b"bob:pwd"):
        assert extract(wrong) == (None, None)  # type: ignore[arg-type]


def test_credentials_find_the_user(any_database: str) -> None:
    """The right email and password return the user, others `None`."""
    auth = BasicAuth()
    find: Any = auth.user_object_from_credentials
    assert find("bob@hbtn.io", "fake:pwd") is None
    user = User(email="bob@hbtn.io")
    user.password = "fake:pwd"
    user.save()
    User(email="none@hbtn.io").save()
    assert find("bob@hbtn.io", "fake:pwd") == user
    assert find(" BOB@hbtn.io", "fake:pwd") == user
    assert find("bob@hbtn.io", "fake") is None
    assert find("ann@hbtn.io", "fake:pwd") is None
    assert find("none@hbtn.io", "") is None
    for no_string in (None, 89, b"fake:pwd"):
        assert find("bob@hbtn.io", no_string) is None
        assert find(no_string, "fake:pwd") is None
    encoded = base64.b64encode(b"bob@hbtn.io:fake:pwd").decode()
    for header, found in {
        f"Basic {encoded}": user,
        encoded: None,
        f"Basic {encoded[:-2]}": None,
        "Basic": None,
    }.items():
        request = SimpleNamespace(headers={"Authorization": header})
        assert auth.current_user(request) == found
    assert auth.current_user(None) is None
    assert auth.current_user() is None
    assert auth.current_user(SimpleNamespace(headers={})) is None


class Chained(BasicAuth):
    """A mechanism whose steps each append a letter to their input."""

    def authorization_header(self, request: Any = None) -> str:
        """Start the chain."""
        return f"{request}a"

    def extract_base64_authorization_header(self, header: Any) -> str:
        """Continue from the header."""
        return f"{header}b"

    def decode_base64_authorization_header(self, encoded: Any) -> str:
        """Continue from the encoded part."""
        return f"{encoded}c"

    def extract_user_credentials(self, decoded: Any) -> tuple[str, str]:
        """Continue from the decoded part."""
        return f"{decoded}d", f"{decoded}e"

    def user_object_from_credentials(self, email: Any, pwd: Any) -> User:
        """End the chain."""
        return User(email=f"{email} {pwd}")


def test_subclass_can_replace_each_step() -> None:
    """`current_user` calls the five methods in their order."""
    user = Chained().current_user("r")
    assert user is not None
    assert user.email == "rabcd rabce"
