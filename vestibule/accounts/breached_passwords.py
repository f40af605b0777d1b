#!/usr/bin/env python3
"""Whether a password is known to be stolen, by asking a range service.

Its law: the password does not leave this process. Five digits of its hash
do, which half a million other passwords share (k-anonymity). A service
that is slow, away or confused makes no difference to anybody but the log.
"""

import logging
import os
import threading
import urllib.request
from hashlib import sha1
from http.client import HTTPException
from queue import Empty, SimpleQueue

from vestibule.core import settings
from vestibule.core.threads import start_thread

_log = logging.getLogger(__name__)

#: Seconds that a person waits for the service at most.
TIMEOUT_SECONDS = 0.9
#: Bytes of an answer that are read; an honest one has some 40 kB.
MAX_RESPONSE_BYTES = 1_000_000
#: Questions that may be open at once; with more, nobody is asked.
MAX_CONCURRENT_REQUESTS = 8
_asking = threading.BoundedSemaphore(MAX_CONCURRENT_REQUESTS)


def is_breached(password: str) -> bool:
    """Tell whether the service at `PASSWORD_BREACH_URL` lists `password`.

    `False` if there is none, or no clear answer within a second.
    """
    address = settings.PASSWORD_BREACH_URL.read()
    if address is None or not _asking.acquire(blocking=False):
        return False
    # SHA-1 is what these services are asked by; it protects nothing here.
    digest = (
        sha1(password.encode("utf-8", "surrogatepass"), usedforsecurity=False)
        .hexdigest()
        .upper()
    )
    answers: SimpleQueue[bool] = SimpleQueue()
    if start_thread("breaches", _ask, address, digest, answers) is None:
        _asking.release()
        return False
    try:
        # A socket's timeout counts for each read, not for all of them.
        return answers.get(timeout=TIMEOUT_SECONDS)
    except Empty:
        _log.warning("no answer about stolen passwords in time")
        return False


def _ask(address: str, digest: str, answers: SimpleQueue[bool]) -> None:
    """Put into `answers` whether the service lists `digest`."""
    try:
        with urllib.request.urlopen(
            f"{address.rstrip('/')}/{digest[:5]}", timeout=TIMEOUT_SECONDS
        ) as response:
            listed = response.read(MAX_RESPONSE_BYTES).decode(
                "ascii", "replace"
            )
        suffixes = {
            line.partition(":")[0].strip().upper()
            for line in listed.splitlines()
            # Padding that some services add has a count of 0.
            if line.partition(":")[2].strip() != "0"
        }
        answers.put(digest[5:] in suffixes)
    except (OSError, ValueError, HTTPException) as error:
        _log.warning("nobody to ask about stolen passwords: %s", error)
        answers.put(False)
    finally:
        _asking.release()


def _forget_after_fork() -> None:
    """Let a forked child ask: the threads that do so are its parent's."""
    global _asking
    _asking = threading.BoundedSemaphore(MAX_CONCURRENT_REQUESTS)


os.register_at_fork(after_in_child=_forget_after_fork)
