#!/usr/bin/env python3
"""Accounts: credentials, the queue before the hashes, registration."""

import logging
import os
import queue
import threading
from collections.abc import Iterator
from typing import Any

import pytest

from vestibule.accounts import authentication as queues
from vestibule.accounts.authentication import (
    HashQueue,
    check_credentials,
    hash_queue,
)
from vestibule.accounts.password_policy import check_new_password
from vestibule.accounts.permissions import LOCAL
from vestibule.accounts.users import register, set_names
from vestibule.core import passwords
from vestibule.core.errors import DuplicateEmail, InvalidValue, ServiceBusy
from vestibule.core.passwords import hash_timer
from vestibule.db.engine import database
from vestibule.db.models.user import User

pytestmark = pytest.mark.usefixtures("on_sqlite")


@pytest.fixture(autouse=True)
def fresh_queue() -> Iterator[None]:
    """Make a new queue from the settings of each test."""
    hash_queue.cache_clear()
    yield
    hash_queue.cache_clear()


@pytest.fixture
def bob() -> User:
    """Return a stored user whose password is `secret`."""
    user = User(email="bob@example.com")
    user.password = "secret"
    user.save()
    return user


def test_right_password_returns_the_user(bob: User) -> None:
    """With a wrong password the result is None."""
    assert check_credentials([bob], "", "secret", actor=LOCAL) is bob
    assert check_credentials([bob], "", "wrong", actor=LOCAL) is None
    assert check_credentials([], "", "secret", actor=LOCAL) is None


def test_password_check_waits_in_the_hash_queue(
    bob: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    """While the queue is full it is refused, for known and unknown users."""
    turns = HashQueue(1, 0)
    monkeypatch.setattr(
        "vestibule.accounts.authentication.hash_queue", lambda: turns
    )
    with turns.turn():
        for found in ([bob], []):
            with pytest.raises(ServiceBusy):
                check_credentials(found, "", "secret", actor=LOCAL)
    assert check_credentials([bob], "", "secret", actor=LOCAL) is bob


def test_right_password_renews_an_older_hash(bob: User) -> None:
    """A wrong password changes nothing."""
    legacy = passwords.legacy_hash(
        "2bb80d537b1da3e38bd30361aa855686bde0eacd7162fef6a25fe97bf527a25b"
    )
    bob.set_hash(legacy)
    bob.save()
    assert check_credentials(User.all(), "", "wrong", actor=LOCAL) is None
    assert User.all()[0].password == legacy
    assert check_credentials(User.all(), "", "secret", actor=LOCAL) == bob
    assert str(User.all()[0].password).startswith("$argon2id$")
    assert check_credentials(User.all(), "", "secret", actor=LOCAL) == bob


@pytest.mark.slow
def test_login_succeeds_if_the_hash_cannot_be_renewed(
    bob: User, caplog: pytest.LogCaptureFixture
) -> None:
    """A database that refuses the write does not refuse the user."""
    bob.set_hash(passwords.PROFILES["rfc9106"].hash("secret"))
    bob.save()
    with database().transaction() as connection:
        connection.exec_driver_sql(
            "CREATE TRIGGER full BEFORE UPDATE ON users"
            " BEGIN SELECT RAISE(FAIL, 'database or disk is full'); END"
        )
    found = User.all()
    with caplog.at_level(logging.WARNING):
        assert check_credentials(found, "", "secret", actor=LOCAL) == bob
    assert "a password hash was not renewed" in caplog.text
    assert "secret" not in caplog.text
    assert User.all()[0].password == bob.password


def test_queue_bounds_working_and_waiting_threads() -> None:
    """Two work, one waits: the others get a time to try again."""
    turns = HashQueue(2, 1)
    told: queue.Queue[str] = queue.Queue()
    finish = threading.Event()

    def work() -> None:
        """Take a turn until the test ends it, and note how it went."""
        try:
            with turns.turn():
                told.put("working")
                finish.wait(20)
        except ServiceBusy as error:
            told.put(f"come back in {error.retry_after}")

    threads = [threading.Thread(target=work) for _ in range(5)]
    for thread in threads[:2]:
        thread.start()
    assert [told.get(timeout=20) for _ in range(2)] == ["working"] * 2
    for thread in threads[2:]:
        thread.start()
    refused = [told.get(timeout=20) for _ in range(2)]
    assert refused == [f"come back in {queues.RETRY_AFTER_SECONDS}"] * 2
    assert told.empty()
    finish.set()
    assert told.get(timeout=20) == "working"
    for thread in threads:
        thread.join(20)
    with turns.turn():
        assert told.empty()


def test_failure_frees_its_place_in_the_queue() -> None:
    """Whatever happens within a turn, the next one gets it."""
    turns = HashQueue(1, 0)
    for _ in range(3):
        with pytest.raises(KeyError), turns.turn():
            raise KeyError


@pytest.mark.parametrize(
    ("cores", "threads", "workers", "at_once", "places"),
    [
        (2, 16, 1, 2, 8),
        (64, 16, 1, 8, 8),
        (2, 4, 1, 2, 2),
        (2, 4, 8, 1, 2),
        (8, 64, 2, 4, 32),
        (1, 5, 1, 1, 2),
    ],
)
def test_queue_size_follows_cores_and_threads(
    monkeypatch: pytest.MonkeyPatch,
    cores: int,
    threads: int,
    workers: int,
    at_once: int,
    places: int,
) -> None:
    """As many at once as cores for each worker, half the threads in all."""
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(cores)))
    monkeypatch.setenv("BLOCKING_THREADS", str(threads))
    monkeypatch.setenv("WORKERS", str(workers))
    made = hash_queue()
    assert hash_queue() is made
    assert made._turns._value == at_once
    assert made._places._value == places


def test_queue_size_without_cpu_affinity(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Where no affinity is known the number of cores counts, or one."""
    monkeypatch.delattr(os, "sched_getaffinity")
    for cores, at_once in [(3, 3), (None, 1)]:
        monkeypatch.setattr(os, "cpu_count", lambda n=cores: n)
        hash_queue.cache_clear()
        turns = hash_queue()._turns
        assert turns._value == at_once


def test_registration_stores_a_user() -> None:
    """With names, trimmed, and with a password that works."""
    user = register(" Bob@Example.COM ", "long enough", "Bob", "Dylan")
    loaded = User.get(user.id)
    assert loaded is not None
    assert loaded.email == "Bob@Example.COM"
    assert loaded.display_name() == "Bob Dylan"
    assert loaded.is_valid_password("long enough")
    assert register("ann@example.com", "long enough").first_name is None
    with pytest.raises(DuplicateEmail):
        register("bob@example.com", "long enough")
    assert User.count() == 2


def test_registration_waits_in_the_hash_queue(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A full queue refuses new accounts as well."""
    turns = HashQueue(1, 0)
    monkeypatch.setattr("vestibule.accounts.users.hash_queue", lambda: turns)
    with turns.turn(), pytest.raises(ServiceBusy):
        register("bob@example.com", "long enough")
    assert User.count() == 0


@pytest.mark.parametrize(
    ("email", "password", "first_name", "field"),
    [
        (None, "long enough", None, "email"),
        (5, "long enough", None, "email"),
        ("bob", "long enough", None, "email"),
        ("a@b@c", "long enough", None, "email"),
        ("a b@example.com", "long enough", None, "email"),
        ("a\0@example.com", "long enough", None, "email"),
        ("\ud800@example.com", "long enough", None, "email"),
        ("a@\ud800.com", "long enough", None, "email"),
        ("a@nowhere.invalid", "long enough", None, "email"),
        ("a" * 250 + "@a.de", "long enough", None, "email"),
        ("\u0301" * 62_000, "long enough", None, "email"),
        ("a" * 65 + "@example.com", "long enough", None, "email"),
        ("a@example.com", None, None, "password"),
        ("a@example.com", ["long enough"], None, "password"),
        ("a@example.com", "short", None, "password"),
        ("a@example.com", "long enough\ud800", None, "password"),
        ("a@example.com", "y\u0301" * 1366, None, "password"),
        ("a@example.com", "long enough", "a" * 201, "first_name"),
        ("a@example.com", "long enough", 5, "first_name"),
        ("a@example.com", "long enough", "a\0", "first_name"),
    ],
)
def test_registration_names_the_invalid_field(
    email: Any, password: Any, first_name: Any, field: str
) -> None:
    """Then no user is stored."""
    with pytest.raises(InvalidValue) as refused:
        register(email, password, first_name)
    assert refused.value.field == field
    assert User.count() == 0


def test_long_password_is_wrong_at_the_cost_of_one_hash() -> None:
    """It is refused before it is hashed, and counts as a failure."""
    user = register("bob@example.com", "long enough")
    hash_timer.take()
    long = "\u00e9" * 2049
    user.password = long
    assert (
        check_credentials([user], "bob@example.com", long, actor=LOCAL) is None
    )
    # One to set it, one that matches nothing.
    assert hash_timer.take().number == 2


@pytest.mark.parametrize("number", [2048, 1])
def test_password_up_to_the_bound_is_accepted(number: int) -> None:
    """The bound is in bytes, because hashing reads bytes."""
    password = "\u00e9" * number + "z" * (4096 - 2 * number)
    user = register("bob@example.com", password)
    found = check_credentials([user], "bob@example.com", password, actor=LOCAL)
    assert found == user


def test_password_length_is_in_code_points(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Each character is one, however many bytes it has."""
    monkeypatch.setenv("PASSWORD_MIN_LENGTH", "3")
    faces = "\U0001f600\U0001f601\U0001f602"
    for good in ["qzj", "\u00e9\u00e8\u00ea", faces]:
        check_new_password(good)
    for short in ["", "ab", "\U0001f600" * 2]:
        with pytest.raises(InvalidValue, match="at least 3 characters"):
            check_new_password(short)


def test_only_given_names_are_set() -> None:
    """Other keys are left alone, and so is a name that is not there."""
    user = User(first_name="Bob", last_name="Dylan")
    set_names(user, {"first_name": None, "email": "x", "id": "y"})
    assert (user.first_name, user.last_name) == (None, "Dylan")
    assert user.email is None
    set_names(user, {"last_name": ""})
    assert user.last_name == ""
    with pytest.raises(InvalidValue):
        set_names(user, {"last_name": 5})
