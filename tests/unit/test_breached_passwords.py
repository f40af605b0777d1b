#!/usr/bin/env python3
"""Breached passwords: a range service that responds, or does not."""

import logging
import socket
import threading
import time
from collections.abc import Callable

import pytest

from tests.ports import free_port
from tests.threads import FailingThreadStart
from tests.unit.range_service import RangeService
from vestibule.accounts import password_policy
from vestibule.accounts.password_policy import is_breached

STOLEN = "violet umbrella"
#: The most seconds that a check takes.
SOON = 1.0


@pytest.fixture
def long_timeout(monkeypatch: pytest.MonkeyPatch) -> None:
    """Allow more time, since the machine may be busy."""
    monkeypatch.setattr(password_policy, "MAX_LOOK_UP_SECONDS", 10)


def asked(monkeypatch: pytest.MonkeyPatch, url: str, password: str) -> bool:
    """Return the result for a password from the service at `url`."""
    monkeypatch.setenv("PASSWORD_BREACH_URL", url)
    return is_breached(password)


def settle() -> None:
    """Wait until no question is open any more."""
    for _ in range(1000):
        if (
            password_policy._slots._value
            == password_policy.MAX_CONCURRENT_REQUESTS
        ):
            return
        time.sleep(0.01)
    pytest.fail("a question is still open")


def test_no_request_is_sent_by_default() -> None:
    """Without the setting there is no service."""
    before = threading.active_count()
    assert not is_breached("password")
    assert threading.active_count() == before


def test_listed_password_is_found_by_a_hash_prefix(
    monkeypatch: pytest.MonkeyPatch, long_timeout: None
) -> None:
    """The service gets five digits of a hash and nothing else."""
    with RangeService(STOLEN) as service:
        assert asked(monkeypatch, service.url, STOLEN)
        assert asked(monkeypatch, service.url + "/", STOLEN)
        assert service.asked == [f"/range/{service.digest[:5]}"] * 2
        assert not asked(monkeypatch, service.url, "another one")
    settle()


def test_padding_does_not_count_as_listed(
    monkeypatch: pytest.MonkeyPatch, long_timeout: None
) -> None:
    """An entry with a count of 0 only hides the size of the response."""
    with RangeService(STOLEN, count=0) as service:
        assert not asked(monkeypatch, service.url, STOLEN)
    settle()


def test_lower_case_digits_are_accepted(
    monkeypatch: pytest.MonkeyPatch, long_timeout: None
) -> None:
    """Some services write the hash in small letters."""
    with RangeService(STOLEN) as service:
        service.body = service.body.lower()
        assert asked(monkeypatch, service.url, STOLEN)
    settle()


def test_lone_surrogate_is_no_error(
    monkeypatch: pytest.MonkeyPatch, long_timeout: None
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
def test_invalid_response_lists_no_password(
    monkeypatch: pytest.MonkeyPatch,
    long_timeout: None,
    status: int,
    body: bytes,
) -> None:
    """No response of the service raises an error."""
    with RangeService(STOLEN) as service:
        service.status, service.body = status, body
        assert not asked(monkeypatch, service.url, STOLEN)
    settle()


def _unused_address() -> str:
    """Return an address on which no server listens."""
    return f"http://127.0.0.1:{free_port()}"


@pytest.mark.parametrize(
    "address",
    [
        _unused_address,
        lambda: "https://a b",
        lambda: "http://x.invalid/range",
    ],
)
def test_unreachable_service_is_logged(
    monkeypatch: pytest.MonkeyPatch,
    long_timeout: None,
    caplog: pytest.LogCaptureFixture,
    address: Callable[[], str],
) -> None:
    """The password is accepted."""
    with caplog.at_level(logging.WARNING):
        assert not asked(monkeypatch, address(), STOLEN)
        settle()
    assert "the breached-password service failed" in caplog.text
    assert STOLEN not in caplog.text


def test_response_that_is_no_http_is_no_error(
    monkeypatch: pytest.MonkeyPatch,
    long_timeout: None,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """The service counts as unreachable."""
    with socket.create_server(("127.0.0.1", 0)) as server:

        def babble() -> None:
            """Send one response in no protocol."""
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


def test_slow_service_is_cut_off(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """A user waits less than a second; later responses do not count."""
    with RangeService(STOLEN) as service:
        service.may_answer.clear()
        began = time.monotonic()
        assert not asked(monkeypatch, service.url, STOLEN)
        assert time.monotonic() - began < SOON + 0.5
        service.may_answer.set()
        settle()
    assert password_policy.MAX_LOOK_UP_SECONDS < SOON
    assert "breached-password service" in caplog.text


def test_refused_thread_accepts_the_password(
    monkeypatch: pytest.MonkeyPatch,
    long_timeout: None,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """As many questions can be open afterwards as before."""
    with RangeService(STOLEN) as service:
        for _ in range(password_policy.MAX_CONCURRENT_REQUESTS):
            FailingThreadStart(monkeypatch)
            assert not asked(monkeypatch, service.url, STOLEN)
        assert service.asked == []
        assert caplog.text.count("no thread for breaches") == 1
        assert asked(monkeypatch, service.url, STOLEN)
    settle()


def test_number_of_open_questions_is_bounded(
    monkeypatch: pytest.MonkeyPatch, long_timeout: None
) -> None:
    """While eight are open, the ninth is not sent."""
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
