#!/usr/bin/env python3
"""TOTP codes: the published values, the accepted steps, what may be typed."""

import base64
from datetime import datetime, timedelta, timezone
from urllib.parse import parse_qs, urlsplit

import pytest

from vestibule.accounts import totp

#: RFC 4226, appendix D.
HOTP_SEED = b"12345678901234567890"
HOTP_CODES = (
    "755224 287082 359152 969429 338314 254676 287922 162583 399871 520489"
)
#: RFC 6238, appendix B with its erratum 2866: a seed as long as the hash.
TOTP_CODES = """
    59          94287082 46119246 90693936
    1111111109  07081804 68084774 25091201
    1111111111  14050471 67062674 99943326
    1234567890  89005924 91819424 93441116
    2000000000  69279037 90698825 38618901
    20000000000 65353130 77737706 47863826
"""
ALGORITHMS = (("sha1", 20), ("sha256", 32), ("sha512", 64))
NOW = datetime(2026, 3, 29, 12, 0, 10, tzinfo=timezone.utc)
SEED = bytes(range(20))


def test_hotp_has_the_values_of_rfc_4226() -> None:
    """The ten values of appendix D."""
    codes = [totp.hotp(HOTP_SEED, counter) for counter in range(10)]
    assert codes == HOTP_CODES.split()


@pytest.mark.parametrize("line", TOTP_CODES.strip().splitlines())
def test_totp_has_the_values_of_rfc_6238(line: str) -> None:
    """The eighteen values of appendix B: three hashes at six times."""
    seconds, *codes = line.split()
    moment = datetime.fromtimestamp(int(seconds), timezone.utc)
    for (algorithm, length), code in zip(ALGORITHMS, codes, strict=True):
        seed = (HOTP_SEED * 4)[:length]
        step = totp.step_at(moment)
        assert totp.hotp(seed, step, 8, algorithm) == code


@pytest.mark.parametrize(
    ("ahead", "accepted"), [(1, [-1, 0, 1]), (0, [-1, 0])]
)
def test_steps_around_now_are_accepted(
    ahead: int, accepted: list[int]
) -> None:
    """One step before, now, and one after unless that is not allowed."""
    current = totp.step_at(NOW)
    found = [
        offset
        for offset in range(-5, 6)
        if totp.matching_step(
            SEED, totp.hotp(SEED, current + offset), NOW, ahead
        )
        == current + offset
    ]
    assert found == accepted


def test_step_changes_at_the_half_minute() -> None:
    """The last second of a step has its code, and the next one another."""
    start = NOW.replace(second=0)
    steps = [
        totp.step_at(start + timedelta(seconds=each)) for each in (0, 29, 30)
    ]
    assert steps[0] == steps[1] == steps[2] - 1


@pytest.mark.parametrize(
    ("typed", "code"),
    [
        ("123456", "123456"),
        ("123 456", "123456"),
        (" 1 2 3 4 5 6 ", "123456"),
        ("12345", None),
        ("1234567", None),
        ("12345a", None),
        ("-12345", None),
        ("\uff11\uff12\uff13\uff14\uff15\uff16", None),
        ("\u0661\u0662\u0663\u0664\u0665\u0666", None),
        ("123456\n", None),
        ("123\u00a0456", None),
        ("", None),
        ("1" * 1_000_000, None),
    ],
)
def test_typed_code_has_six_ascii_digits(typed: str, code: str | None) -> None:
    """Blanks do not matter; other digits and lengths are refused."""
    assert totp.parse_code(typed) == code


def test_link_and_key_have_the_seed() -> None:
    """The link has what an app needs, with the account's text quoted."""
    url = urlsplit(totp.otpauth_url(SEED, "Old & New", "a:b@example.com"))
    query = parse_qs(url.query)
    assert (url.scheme, url.netloc) == ("otpauth", "totp")
    assert url.path == "/Old%20%26%20New:a%3Ab%40example.com"
    assert base64.b32decode(query["secret"][0]) == SEED
    assert query["issuer"] == ["Old & New"]
    assert (query["digits"], query["period"]) == (["6"], ["30"])
    groups = totp.key_of(SEED).split(" ")
    assert {len(group) for group in groups} == {4}
    assert base64.b32decode("".join(groups)) == SEED
    assert len(totp.new_seed()) * 8 == 160
