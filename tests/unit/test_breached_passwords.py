#!/usr/bin/env python3
"""Stolen passwords: a range service that answers, or does not."""

import logging
import socket
import threading
import time
from collections.abc import Callable

import pytest

from tests.ports import free_port
from tests.threads import FailingThreadStart
from tests.unit.range_service import RangeService
from vestibule.accounts import breached_passwords
from vestibule.accounts.breached_passwords import is_breached

STOLEN = "violet umbrella"
#: Seconds in which there is an answer, whatever the service does.
SOON = 1.0


@pytest.fixture
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a crowded machine have the time that a person would not."""
    monkeypatch.setattr(breached_passwords, "TIMEOUT_SECONDS", 10)


def asked(monkeypatch: pytest.MonkeyPatch, url: str, password: str) -> bool:
    """Return what is found out by asking the service at `url`."""
    monkeypatch.setenv("PASSWORD_BREACH_URL", url)
    return is_breached(password)


def settle() -> None:
    """Wait until nobody is asking any more."""
    for _ in range(1000):
        if (
            breached_passwords._slots._value
            == breached_passwords.MAX_CONCURRENT_REQUESTS
        ):
            return
        time.sleep(0.01)
    pytest.fail("somebody is asking still")


def test_without_a_service_nobody_is_asked() -> None:
    """That is the default."""
    before = threading.active_count()
    assert not is_breached("password")
    assert threading.active_count() == before


def test_a_listed_one_is_known(
    monkeypatch: pytest.MonkeyPatch, patient: None
) -> None:
    """The service learns five digits of a hash and nothing else."""
    with RangeService(STOLEN) as service:
        assert asked(monkeypatch, service.url, STOLEN)
        assert asked(monkeypatch, service.url + "/", STOLEN)
        assert service.asked == [f"/range/{service.digest[:5]}"] * 2
        assert not asked(monkeypatch, service.url, "another one")
    settle()


def test_padding_is_no_listing(
    monkeypatch: pytest.MonkeyPatch, patient: None
) -> None:
    """What is listed with a count of 0 hides the size of the answer."""
    with RangeService(STOLEN, count=0) as service:
        assert not asked(monkeypatch, service.url, STOLEN)
    settle()


def test_small_digits_count_too(
    monkeypatch: pytest.MonkeyPatch, patient: None
) -> None:
    """Some services write the hash in small letters."""
    with RangeService(STOLEN) as service:
        service.body = service.body.lower()
        assert asked(monkeypatch, service.url, STOLEN)
    settle()


def test_half_a_surrogate_can_be_asked_about(
    monkeypatch: pytest.MonkeyPatch, patient: None
) -> None:
    """What has no UTF-8 is no error here."""
    with RangeService(STOLEN) as service:
        assert not asked(monkeypatch, service.url, "lone \ud800 half")
    settle()


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (200, b""),
        (200, b"\xff\xfe\x00" * 1000),
        (200, b"<html>:::\n:\n::1\n" * 100),
        (200, b"A" * 2_000_000),
        (404, b""),
        (429, b"slow down"),
        (500, b"oops"),
        (302, b""),
    ],
)
def test_garbage_lists_nobody(
    monkeypatch: pytest.MonkeyPatch, patient: None, status: int, body: bytes
) -> None:
    """No answer of the service is an error of ours."""
    with RangeService(STOLEN) as service:
        service.status, service.body = status, body
        assert not asked(monkeypatch, service.url, STOLEN)
    settle()


def _nobody() -> str:
    """Return an address that nobody listens on."""
    return f"http://127.0.0.1:{free_port()}"


@pytest.mark.parametrize(
    "address",
    [
        _nobody,
        lambda: "http://",
        lambda: "http://[",
        lambda: "https://a b",
        lambda: "http://x.invalid/range",
    ],
)
def test_a_service_that_is_away_is_logged(
    monkeypatch: pytest.MonkeyPatch,
    patient: None,
    caplog: pytest.LogCaptureFixture,
    address: Callable[[], str],
) -> None:
    """And nobody is kept from a password by it."""
    with caplog.at_level(logging.WARNING):
        assert not asked(monkeypatch, address(), STOLEN)
        settle()
    assert "the breached-password service failed" in caplog.text
    assert STOLEN not in caplog.text


def test_what_is_no_http_is_no_error(
    monkeypatch: pytest.MonkeyPatch,
    patient: None,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """A service that speaks another language is one that is away."""
    with socket.create_server(("127.0.0.1", 0)) as server:

        def babble() -> None:
            """Answer once, in no protocol."""
            peer, _ = server.accept()
            with peer:
                peer.recv(1000)
                peer.sendall(b"220 mail.example ESMTP\r\n")

        thread = threading.Thread(target=babble)
        thread.start()
        url = f"http://127.0.0.1:{server.getsockname()[1]}"
        began = time.monotonic()
        assert not asked(monkeypatch, url, STOLEN)
        assert time.monotonic() - began < 10
        thread.join(10)
    settle()
    assert "service failed" in caplog.text


def test_a_slow_service_is_not_waited_for(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """A person waits less than a second; later answers count nothing."""
    with RangeService(STOLEN) as service:
        service.may_answer.clear()
        began = time.monotonic()
        assert not asked(monkeypatch, service.url, STOLEN)
        assert time.monotonic() - began < SOON + 0.5
        service.may_answer.set()
        settle()
    assert breached_passwords.TIMEOUT_SECONDS < SOON
    assert "breached-password service" in caplog.text


def test_threads_that_the_system_refuses(
    monkeypatch: pytest.MonkeyPatch,
    patient: None,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Nobody is kept from a password, and it asks as often after it."""
    with RangeService(STOLEN) as service:
        for _ in range(breached_passwords.MAX_CONCURRENT_REQUESTS):
            FailingThreadStart(monkeypatch)
            assert not asked(monkeypatch, service.url, STOLEN)
        assert service.asked == []
        assert caplog.text.count("no thread for breaches") == 1
        assert asked(monkeypatch, service.url, STOLEN)
    settle()


def test_only_some_ask_at_once(
    monkeypatch: pytest.MonkeyPatch, patient: None
) -> None:
    """With eight questions open the ninth is not asked at all."""
    with RangeService(STOLEN) as service:
        service.may_answer.clear()
        monkeypatch.setenv("PASSWORD_BREACH_URL", service.url)
        found: list[bool] = []
        threads = [
            threading.Thread(target=lambda: found.append(is_breached(STOLEN)))
            for _ in range(8)
        ]
        for thread in threads:
            thread.start()
        for _ in range(1000):
            if len(service.asked) == 8:
                break
            time.sleep(0.01)
        assert not is_breached(STOLEN)
        assert len(service.asked) == 8
        service.may_answer.set()
        for thread in threads:
            thread.join(10)
        assert found == [True] * 8
        settle()
        assert is_breached(STOLEN)
    settle()
