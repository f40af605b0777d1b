#!/usr/bin/env python3
"""Emails: which are accepted, and which are the same account."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import text

from vestibule.accounts.credentials import check_email
from vestibule.accounts.users import register
from vestibule.checks.doctor import run_checks
from vestibule.checks.settings import Level
from vestibule.core.errors import DuplicateEmail, InvalidValue
from vestibule.core.text import email_key
from vestibule.db import engine
from vestibule.db.models.user import User

pytestmark = pytest.mark.usefixtures("on_sqlite")


@pytest.mark.parametrize(
    "email",
    [
        "bob@hbtn.io",
        "bob@mailhost",
        "o'hara+x@a.b.example",
        "\u00fc@x.de",
        "bob@b\u00fccher.example",
        "  bob@x.de\n",
        "admin@localhost",
        "bob@corp.local",
        "bob@nas.home.arpa",
        "bob@ci.test",
        "bob@app.LOCALHOST",
        "bob@intranet",
        "bob@10.0.0.7",
    ],
)
def test_unusual_email_addresses_are_accepted(email: str) -> None:
    """Names of a local network and of any alphabet are addresses."""
    check_email(email)


@given(st.text())
def test_any_text_is_an_email_or_invalid(email: str) -> None:
    """No text raises another error."""
    try:
        check_email(email)
    except InvalidValue as refused:
        assert refused.field == "email"


@pytest.mark.slow
@pytest.mark.parametrize(
    "spelling",
    [
        "Ada@B\u00fccher.Example",
        "ada@xn--bcher-kva.example",
        "ada@XN--BCHER-KVA.example",
        "ada@bu\u0308cher.example",
        "ada@\uff42\u00fc\uff43\uff48\uff45\uff52.example",
        "ada@b\u00fccher\u3002example",
        "ada@b\u00fccher\uff0eexample",
        "ada@b\u00fccher\uff61example",
        "\u00a0\tADA@B\u00dcCHER.EXAMPLE\n",
    ],
)
def test_spellings_of_a_domain_are_one_email(spelling: str) -> None:
    """Browsers send Punycode from some fields and Unicode from others."""
    assert email_key(spelling) == "ada@b\u00fccher.example"
    register("ada@b\u00fccher.example", "long enough")
    with pytest.raises(DuplicateEmail):
        register(spelling, "long enough")
    (found,) = User.search({"email": spelling})
    assert found.email == "ada@b\u00fccher.example"


def test_email_is_shown_as_typed() -> None:
    """Only blanks around it are removed."""
    user = register(" \u00c4da@B\u00dccher\u3002example ", "long enough")
    assert user.to_json()["email"] == "\u00c4da@B\u00dccher\u3002example"


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("\u00e4da@a.de", "A\u0308DA@a.de"),
        ("stra\u00dfe@a.de", "STRASSE@a.de"),
        ("\u212bda@a.de", "\u00e5da@a.de"),
    ],
)
def test_spellings_of_a_mailbox_are_one_email(one: str, other: str) -> None:
    """Case and Unicode's forms C and D do not matter."""
    assert email_key(one) == email_key(other)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        # Two domains under the rules of browsers (UTS 46, non-transitional).
        ("a@fa\u00df.de", "a@fass.de"),
        # A label that no domain is encoded to.
        ("a@xn--zzzzzzzz.de", "a@zzzzzzzz.de"),
        ("a@xn--bcher-5qa.de", "a@b\u00fccher.de"),
        ("\uff41da@a.de", "ada@a.de"),
    ],
)
def test_other_mailboxes_are_other_emails(one: str, other: str) -> None:
    """Addresses that mail servers tell apart are two accounts."""
    assert email_key(one) != email_key(other)


@pytest.mark.parametrize("mark", ["\u0301", "\u0300\u0316", "\u00df", "A"])
def test_long_text_is_not_normalized(
    mark: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A megabyte of combining marks would take seconds."""

    def forbidden(text: str) -> str:
        """Fail: this takes long for a long text."""
        raise AssertionError(len(text))

    for name in ("_fold", "_domain_key"):
        monkeypatch.setattr(f"vestibule.core.text.{name}", forbidden)
    text = mark * 500_000 + "@a.de"
    assert email_key(text) == text.casefold()
    with pytest.raises(InvalidValue, match="is not an email address"):
        check_email(text)
    assert User.search({"email": text}) == []


@given(st.text())
def test_email_key_is_idempotent(email: str) -> None:
    """Normalizing once more changes nothing, nor do blanks and case."""
    key = email_key(email)
    assert email_key(key) == key
    assert email_key(f" \t{key}\n") == key


def test_users_with_the_email_of_another_are_reported(on_sqlite: str) -> None:
    """An upgrade may leave them; the hint is the command that helps."""
    User(id="first", email="ada@b\u00fccher.example").save()
    User(id="second", email="bob@example.com").save()
    key = text(
        "UPDATE users SET email_key = :key, email = :email WHERE id = 'second'"
    )
    with engine.database().transaction() as connection:
        connection.execute(
            key,
            {
                "key": "ada@b\u00fccher.example second",
                "email": "ada@xn--bcher-kva.example",
            },
        )
    (found,) = [one for one in run_checks() if one.id == "users.same_email"]
    assert found.level is Level.WRONG
    assert "the user second cannot sign in" in found.message
    assert "'ada@xn--bcher-kva.example'" in found.message
    assert "users email second NEW_EMAIL" in found.hint
