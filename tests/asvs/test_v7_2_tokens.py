#!/usr/bin/env python3
"""ASVS 7.2: session ids are random and new at each login."""

import base64
import os
import random
import subprocess
import sys

import pytest

from tests.asvs.service import Service
from tests.e2e.server.accounts import PASSWORD, account
from tests.serving import ME, ROOT
from vestibule.db.models.user_session import UserSession
from vestibule.sessions.session import new_session_id

FORKED = """
import os, sys
from vestibule.sessions.session import new_session_id
new_session_id()
for _ in range(4):
    pid = os.fork()
    if pid == 0:
        text = "".join(new_session_id() + "\\n" for _ in range(500))
        os.write(1, text.encode())
        os._exit(0)
    os.waitpid(pid, 0)
"""


def test_v7_2_1_verified_by_the_backend(hardened: Service) -> None:
    """A changed cookie, or one without its row, is refused."""
    user = account()
    token = hardened.login(user.email, PASSWORD)
    for at, letter in enumerate(token):
        other = "A" if letter != "A" else "B"
        forged = token[:at] + other + token[at:][1:]
        # The spare bits of the last character count too.
        assert hardened.status(forged) == 403, at
    for forged in (token + "=", token[:-1], token.swapcase(), "", "null"):
        answer = hardened.request("GET", ME, forged)
        assert answer.status_code in (401, 403)
    assert hardened.status(token) == 200
    (row,) = UserSession.search({"session_id": token})
    assert hardened.status(str(row.session_id)) == 403
    row.remove()
    assert hardened.status(token) == 403


def test_v7_2_2_tokens_are_dynamic(contract: Service) -> None:
    """Each login creates a new id."""
    user = account()
    tokens = {contract.login(user.email, PASSWORD) for _ in range(5)}
    assert len(tokens) == 5


def test_v7_2_3_tokens_are_unique_and_random(
    hardened: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A token has 256 bits and is unique whatever the seed or fork."""
    token = hardened.login(account().email, PASSWORD)
    padded = token + "=" * (-len(token) % 4)
    assert len(base64.urlsafe_b64decode(padded)) * 8 >= 128
    monkeypatch.setenv("SECURITY_PROFILE", "hardened")
    assert len(new_session_id()) == len(token)
    assert len({new_session_id() for _ in range(20_000)}) == 20_000
    random.seed(0)
    first = new_session_id()
    random.seed(0)
    assert new_session_id() != first
    forked = subprocess.run(
        [sys.executable, "-c", FORKED],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        check=True,
        capture_output=True,
        text=True,
        timeout=60,
    ).stdout.split()
    assert len(forked) == len(set(forked)) == 2000


def test_v7_2_4_new_token_at_login(hardened: Service) -> None:
    """A login ends the session of its cookie and accepts no chosen id."""
    user = account()
    first = hardened.login(user.email, PASSWORD)
    answer = hardened.post_login(user.email, PASSWORD, first)
    second = hardened.token(answer)
    assert second != first
    assert (hardened.status(first), hardened.status(second)) == (403, 200)
    planted = "A" * len(first)
    answer = hardened.post_login(user.email, PASSWORD, planted)
    assert hardened.token(answer) != planted
    assert hardened.status(planted) == 403


def test_v7_2_4_new_token_at_reauthentication(hardened: Service) -> None:
    """Reauthentication replaces the id and invalidates the old one."""
    user = account()
    first = hardened.login(user.email, PASSWORD)
    answer = hardened.request(
        "POST",
        "/api/v1/auth_session/refresh",
        first,
        data={"password": PASSWORD},
    )
    second = hardened.token(answer)
    assert (hardened.status(first), hardened.status(second)) == (403, 200)
