#!/usr/bin/env python3
"""Look a password up in a service that lists breached passwords.

The password does not leave this process: the service gets five digits of
its hash, which half a million other passwords share (k-anonymity). If the
service is slow, unreachable or sends nonsense, the password counts as not
listed, and the log says so."""

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

#: Seconds that a user waits for the service at most.
TIMEOUT_SECONDS = 0.9
#: Bytes of an answer that are read; an honest one has some 40 kB.
MAX_RESPONSE_BYTES = 1_000_000
#: Requests at once; a password beyond them is not looked up.
MAX_CONCURRENT_REQUESTS = 8
_slots = threading.BoundedSemaphore(MAX_CONCURRENT_REQUESTS)


def is_breached(password: str) -> bool:
    """Return True if the service at `PASSWORD_BREACH_URL` lists `password`.

    Return False if no service is set, or it does not answer in a second.
    """
    address = settings.PASSWORD_BREACH_URL.read()
    if address is None or not _slots.acquire(blocking=False):
        return False
    # These services expect SHA-1; it protects nothing here.
    digest = (
        sha1(password.encode("utf-8", "surrogatepass"), usedforsecurity=False)
        .hexdigest()
        .upper()
    )
    answers: SimpleQueue[bool] = SimpleQueue()
    if start_thread("breaches", _look_up, address, digest, answers) is None:
        _slots.release()
        return False
    try:
        # A socket's timeout applies to each read, not to all of them.
        return answers.get(timeout=TIMEOUT_SECONDS)
    except Empty:
        _log.warning("the breached-password service did not answer in time")
        return False


def _look_up(address: str, digest: str, answers: SimpleQueue[bool]) -> None:
    """Put True into `answers` if the service lists `digest`, else False."""
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
        _log.warning("the breached-password service failed: %s", error)
        answers.put(False)
    finally:
        _slots.release()


def _reset_slots_after_fork() -> None:
    """Free all slots in a forked child: the parent's threads hold them."""
    global _slots
    _slots = threading.BoundedSemaphore(MAX_CONCURRENT_REQUESTS)


os.register_at_fork(after_in_child=_reset_slots_after_fork)
