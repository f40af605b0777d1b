#!/usr/bin/env python3
"""Password hashes: one computation a check, bounds, older hashes."""

import logging
import os
import threading
from hashlib import sha256
from typing import Any

import pytest
from argon2 import PasswordHasher, low_level

from vestibule.core import passwords
from vestibule.core.errors import InvalidValue, ServiceBusy

pytestmark = pytest.mark.real_hashes
LEGACY = passwords.legacy_hash(sha256(b"secret").hexdigest())


@pytest.fixture
def computed(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Return a list that grows with each argon2 hash that is computed."""
    calls: list[str] = []

    def verifying(hash: bytes, secret: bytes, type: low_level.Type) -> bool:
        """Note the parameters of the stored hash, and verify."""
        calls.append(hash.decode().split("$")[3])
        return verify(hash, secret, type)

    verify = low_level.verify_secret
    hashing = low_level.hash_secret

    def hash_secret(*args: Any, **kwargs: Any) -> bytes:
        """Note the parameters, and hash."""
        calls.append(
            "m={memory_cost},t={time_cost},p={parallelism}".format(**kwargs)
        )
        return hashing(*args, **kwargs)

    monkeypatch.setattr("argon2._password_hasher.verify_secret", verifying)
    monkeypatch.setattr("argon2._password_hasher.hash_secret", hash_secret)
    return calls


def test_each_check_costs_one_hash_in_the_strong_profile(
    computed: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """For a known and an unknown user alike."""
    monkeypatch.setenv("PASSWORD_PROFILE", "rfc9106")
    for kept in (None, LEGACY):
        assert passwords.verify(kept, "wrong") is False
    assert computed == ["m=65536,t=3,p=4"] * 2


@pytest.mark.slow
def test_each_check_costs_one_hash(computed: list[str]) -> None:
    """Right, wrong, unknown user, an older hash, odd text."""
    stored = passwords.hash_password("secret")
    cost = computed.pop()
    assert stored.split("$")[3] == cost
    for kept, given, right in [
        (stored, "secret", True),
        (stored, "Secret", False),
        (stored, "", False),
        (stored, "x" * 4096, False),
        (stored, "secret\ud800", False),
        (stored, "secret\0", False),
        (None, "secret", False),
        (None, "\udfff", False),
        (LEGACY, "secret", True),
        (LEGACY, "wrong", False),
        (LEGACY, "\ud800", False),
        ("$sha256$", "", False),
        ("$sha256$\u00e9", "secret", False),
    ]:
        assert passwords.verify(kept, given) is right, (kept, given)
        assert computed == [cost], (kept, given)
        computed.clear()


def test_stand_in_hash_fits_no_password() -> None:
    """Not even the empty text leads to it."""
    for text in ["", "A", "None", "\0"]:
        assert passwords.verify(None, text) is False


def test_hash_is_argon2id_with_its_parameters() -> None:
    """Two hashes of one password differ, and both fit it."""
    first, second = (
        passwords.hash_password("secret"),
        passwords.hash_password("secret"),
    )
    assert first != second
    for stored in (first, second):
        assert stored.startswith("$argon2id$v=19$m=19456,t=2,p=1$")
        assert passwords.verify(stored, "secret")


def test_passwords_are_compared_unchanged() -> None:
    """No form of Unicode is turned into another, no blank is dropped."""
    stored = passwords.hash_password("\u00e9 ")
    assert passwords.verify(stored, "\u00e9 ")
    assert not passwords.verify(stored, "e\u0301 ")
    assert not passwords.verify(stored, "\u00e9")


def test_lone_surrogate_is_refused_as_new_password() -> None:
    """A lone surrogate is refused, and the error does not repeat it."""
    with pytest.raises(InvalidValue) as refused:
        passwords.hash_password("secret\ud800")
    assert refused.value.field == "password"
    assert "secret" not in str(refused.value)
    assert refused.value.__suppress_context__


@pytest.mark.slow
def test_lone_surrogate_equals_no_other_password() -> None:
    """It is not taken for the sign that often replaces it."""
    for sign in ["?", "\ufffd", ""]:
        stored = passwords.hash_password(f"secret{sign}")
        assert not passwords.verify(stored, "secret\ud800")


@pytest.mark.parametrize(
    "asked",
    [
        "m=8388608,t=2,p=1",
        f"m={passwords.MAX_MEMORY_KIB + 1},t=2,p=1",
        f"m=19456,t={passwords.MAX_PASSES + 1},p=1",
        f"m=19456,t=2,p={passwords.MAX_LANES + 1}",
        "m=99999999999999999999999,t=2,p=1",
    ],
)
def test_hash_beyond_the_bounds_is_refused(
    asked: str, computed: list[str], caplog: pytest.LogCaptureFixture
) -> None:
    """A hash that would take gigabytes is not computed but logged."""
    stored = f"$argon2id$v=19${asked}${'A' * 22}${'A' * 43}"
    with caplog.at_level(logging.ERROR):
        assert passwords.verify(stored, "secret") is False
    assert computed == []
    assert "a stored password hash is rejected" in caplog.text
    assert "secret" not in caplog.text
    assert "AAAA" not in caplog.text


def test_hash_at_the_bounds_is_computed() -> None:
    """What is at a bound is computed: it is not absurd yet."""
    stored = PasswordHasher(
        time_cost=passwords.MAX_PASSES, memory_cost=128, parallelism=16
    ).hash("secret")
    assert passwords.verify(stored, "secret") is True
    assert passwords.verify(stored, "wrong") is False


@pytest.mark.parametrize(
    "garbage",
    [
        "",
        "x",
        "$argon2id$",
        "$2b$12$abcdefghijklmnopqrstuv",
        "secret",
        "$argon2id$v=19$m=a,t=2,p=1$AAAA$AAAA",
        "$argon2id$v=19$m=19456,t=2,p=1$\u00e9\u00e9\u00e9\u00e9$AAAA",
        "$argon2id$v=19$m=1,t=1,p=1$AAAAAAAAAAA$AAAAAAAAAAA",
        "\0",
        "\ud800",
    ],
)
def test_invalid_hash_fits_no_password(garbage: str) -> None:
    """A corrupted row is no login, and raises no error."""
    for given in ["", "secret", garbage]:
        assert passwords.verify(garbage, given) is False
    assert passwords.needs_rehash(garbage) is True


def test_hashes_of_other_kinds_are_checked_and_renewed() -> None:
    """What another library or profile made is checked, then renewed."""
    for kind in low_level.Type:
        stored = PasswordHasher(1, 64, 2, type=kind).hash("secret")
        assert passwords.verify(stored, "secret") is True
        assert passwords.verify(stored, "wrong") is False
        assert passwords.needs_rehash(stored) is True


def test_outdated_hashes_need_a_new_one(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Older kinds and the hashes of another profile, not today's."""
    today = passwords.hash_password("secret")
    assert passwords.needs_rehash(today) is False
    assert passwords.needs_rehash(LEGACY) is True
    monkeypatch.setenv("PASSWORD_PROFILE", "rfc9106")
    assert passwords.needs_rehash(today) is True
    assert passwords.verify(today, "secret") is True


def test_hex_digits_of_an_older_hash_ignore_case() -> None:
    """Both spellings of the hex digits stand for one hash."""
    upper = passwords.legacy_hash(sha256(b"secret").hexdigest().upper())
    assert upper == LEGACY
    assert passwords.verify(upper, "secret") is True


def test_hash_behind_a_long_queue_is_refused(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A request waits for its hash only so long, and computes none later."""
    monkeypatch.setattr(passwords, "MAX_WAIT_SECONDS", 0.05)
    done = threading.Event()
    threads = passwords._hash_threads(os.getpid())
    queue = [
        threads.submit(done.wait, 60) for _ in range(passwords.usable_cores())
    ]
    try:
        with pytest.raises(ServiceBusy, match="takes too long"):
            passwords.hash_password("secret")
    finally:
        done.set()
    assert all(each.result(60) for each in queue)
