#!/usr/bin/env python3
"""One worker of a server may have sessions in its memory."""

import sys

import pytest

from vestibule.core import threads
from vestibule.core.errors import ConfigurationError

pytestmark = pytest.mark.slow


@pytest.mark.skipif(
    not sys.platform.startswith("linux"),
    reason="the claim is an abstract socket, which only Linux has",
)
def test_second_worker_is_refused_until_the_first_ends(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The first worker has the claim as long as it runs."""
    monkeypatch.setattr(threads, "_claims", [])
    monkeypatch.setattr(threads, "MAX_CLAIM_WAIT_SECONDS", 0.1)
    threads.claim_process()
    assert threads._claims == []
    monkeypatch.setattr(threads, "_is_forked_worker", lambda: True)
    threads.claim_process()
    (claim,) = threads._claims
    with pytest.raises(ConfigurationError, match="run one worker"):
        threads.claim_process()
    claim.close()
    threads.claim_process()
    threads._claims[-1].close()
