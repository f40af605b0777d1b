#!/usr/bin/env python3
"""Codes of authenticator apps: TOTP (RFC 6238) over HOTP (RFC 4226)."""

import base64
import hmac
import re
import secrets
import struct
from datetime import datetime
from urllib.parse import quote, urlencode

#: Bytes of a seed: 160 bits (RFC 4226, 4, R6).
SEED_BYTES = 20
#: Seconds of a time step, and digits of a code; every app knows these.
STEP_SECONDS = 30
DIGITS = 6
#: Characters of a typed code that are looked at.
MAX_CODE_LENGTH = 20


def new_seed() -> bytes:
    """Return a new random seed."""
    return secrets.token_bytes(SEED_BYTES)


def hotp(
    seed: bytes, counter: int, digits: int = DIGITS, algorithm: str = "sha1"
) -> str:
    """Return the code for a counter (RFC 4226, 5.3)."""
    mac = hmac.digest(seed, struct.pack(">Q", counter), algorithm)
    offset = mac[-1] & 0xF
    number = struct.unpack_from(">I", mac, offset)[0] & 0x7FFF_FFFF
    return str(number % 10**digits).zfill(digits)


def step_at(now: datetime) -> int:
    """Return the number of the time step at `now` (RFC 6238, 4.2)."""
    return int(now.timestamp()) // STEP_SECONDS


def matching_step(
    seed: bytes, code: str, now: datetime, steps_ahead: int
) -> int | None:
    """Return the time step whose code is `code`, or `None`.

    The step before counts too, because typing takes time, and
    `steps_ahead` later ones, for a phone whose clock is fast (RFC 6238,
    5.2). The time this takes does not depend on the code.
    """
    current, found = step_at(now), None
    for step in range(current - 1, current + steps_ahead + 1):
        if hmac.compare_digest(hotp(seed, step), code):
            found = step
    return found


def parse_code(typed: str) -> str | None:
    """Return a typed code without blanks; `None` if it cannot be one."""
    code = "".join(typed[: MAX_CODE_LENGTH + 1].split(" "))
    if len(typed) > MAX_CODE_LENGTH or len(code) != DIGITS:
        return None
    # Only ASCII: `isdigit` alone allows the digits of every script.
    return code if code.isascii() and code.isdigit() else None


def key_of(seed: bytes) -> str:
    """Return the seed as people type it: Base32 in groups of four."""
    text = base64.b32encode(seed).decode()
    return " ".join(re.findall("....", text))


def otpauth_url(seed: bytes, issuer: str, account: str) -> str:
    """Return the link that apps read from a QR code (Key URI Format)."""
    query = {
        "secret": base64.b32encode(seed).decode(),
        "issuer": issuer,
        "algorithm": "SHA1",
        "digits": DIGITS,
        "period": STEP_SECONDS,
    }
    label = f"{quote(issuer, safe='')}:{quote(account, safe='')}"
    return f"otpauth://totp/{label}?{urlencode(query, quote_via=quote)}"
