#!/usr/bin/env python3
"""Twenty thousand random requests of each role, in both profiles."""

import math

import pytest

from tests.app.api.conftest import build, fresh_process
from tests.app.api.service import Service
from tests.app.openapi.fuzzer import Fuzzer, sequences
from tests.e2e.server.accounts import account, handle_of, open_session
from tests.e2e.torture.seed import random_seed

__all__ = ["build", "fresh_process"]

ROLES = ("anonymous", "member", "admin")
PROFILES = ("contract", "hardened")
#: Minimum requests of one role in one profile; together twenty thousand.
WANTED = math.ceil(20_000 / (len(ROLES) * len(PROFILES)))
#: Maximum requests for each operation.
EACH = 190
SEQUENCES = 60
COOKIE = "__Host-id"
SETTINGS = {
    "SESSION_NAME": COOKIE,
    "IDENTITY_HEADER": "on",
    "IDENTITY_HOSTS": "localhost,127.0.0.1:*",
    "API_DOCS": "on",
    "METRICS": "on",
}


@pytest.mark.torture
@pytest.mark.timeout(1200)
@pytest.mark.parametrize("role", ROLES)
@pytest.mark.parametrize("profile", PROFILES)
def test_random_requests_match_description(
    build: object, profile: str, role: str
) -> None:
    """No response is a 5xx, undescribed, or granted without permission."""
    service: Service = build(  # type: ignore[operator]
        "session_db_auth", SECURITY_PROFILE=profile, **SETTINGS
    )
    account("admin")
    asking = account("member" if role == "anonymous" else role)
    trials = Fuzzer(
        service,
        dict
        if role == "anonymous"
        else lambda: {"cookies": {COOKIE: open_session(asking.user)}},
        random_seed(),
    )
    trials.places["user_id"] = lambda: account().id
    trials.places["handle"] = lambda: handle_of(open_session(asking.user))
    trials.run(EACH)
    if role == "admin":
        sequences(trials, SEQUENCES)
    print(f"{profile}, {role}: {trials.asked} requests")
    assert trials.asked >= WANTED
