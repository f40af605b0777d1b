#!/usr/bin/env python3
"""The core: the clock, the digest, the errors."""

from datetime import datetime, timezone
from hashlib import sha256

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vestibule.core import clock, errors
from vestibule.core.crypto import digest_of


def test_now_is_the_real_time_in_utc() -> None:
    """It lies between two readings of Python's own clock."""
    before = datetime.now(timezone.utc)
    now = clock.now()
    assert before <= now <= datetime.now(timezone.utc)
    assert now.tzinfo is timezone.utc


def test_monotonic_only_grows() -> None:
    """A later reading is never smaller."""
    readings = [clock.monotonic() for _ in range(100)]
    assert readings == sorted(readings)


def test_digest_is_sha256() -> None:
    """Known answers, as any tool for SHA-256 gives them."""
    assert digest_of("") == (
        "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
    )
    assert digest_of("abc") == (
        "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    )


@given(st.text())
def test_any_text_has_a_digest(secret: str) -> None:
    """It is 64 lower-case hex digits, the same each time."""
    digest = digest_of(secret)
    assert digest == digest_of(secret)
    assert len(digest) == 64
    assert set(digest) <= set("0123456789abcdef")
    encoded = secret.encode("utf-8", "surrogatepass")
    assert digest == sha256(encoded).hexdigest()


def test_lone_surrogate_has_a_digest() -> None:
    """A look-up for such text finds nothing instead of failing."""
    assert digest_of("\ud800") != digest_of("\udfff") != digest_of("?")


@pytest.mark.parametrize(
    ("error", "status", "public", "text"),
    [
        (errors.VestibuleError("why"), 500, "Internal Server Error", "why"),
        (
            errors.ConfigurationError("A", "why"),
            500,
            "Internal Server Error",
            "A: why",
        ),
        (
            errors.InvalidValue("email", "is odd", code="invalid"),
            400,
            None,
            "email is odd",
        ),
        (errors.DuplicateEmail(), 400, None, "email is already registered"),
        (errors.RecordGone("why"), 404, "Not found", "why"),
        (errors.SchemaMismatch("why"), 503, "Service Unavailable", "why"),
        (errors.DatabaseUnavailable("why"), 503, "Service Unavailable", "why"),
        (errors.ServiceBusy("why", 7), 503, "Service Unavailable", "why"),
    ],
    ids=lambda given: type(given).__name__,
)
def test_each_error_has_a_status_and_a_client_message(
    error: errors.VestibuleError, status: int, public: str | None, text: str
) -> None:
    """The errors have one root class."""
    assert isinstance(error, errors.VestibuleError)
    assert error.status == status
    assert error.public == public
    assert str(error) == text


def test_errors_carry_data() -> None:
    """Code that catches one need not read its text."""
    assert errors.ConfigurationError("A", "why").name == "A"
    assert errors.InvalidValue("email", "why", code="x").field == "email"
    assert isinstance(errors.InvalidValue("a", "b", code="x"), ValueError)
    assert errors.DuplicateEmail().field == "email"
    assert errors.ServiceBusy("why").retry_after == 1
    assert errors.ServiceBusy("why", 7).retry_after == 7
