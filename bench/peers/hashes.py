#!/usr/bin/env python3
"""Which hash a peer keeps its passwords by, read off what it stored."""

import re

_ARGON2 = re.compile(r"\$(argon2\w+)\$v=\d+\$m=(\d+),t=(\d+),p=(\d+)")
_SCRYPT = re.compile(r"scrypt:(\d+):(\d+):(\d+)")
_PBKDF2 = re.compile(r"pbkdf2_(\w+)\$(\d+)")


def name_of(stored: str) -> str:
    """Return a hash's name and cost for people, as `scrypt N=2^14 r=16 p=1`.

    Raise `ValueError` about a text that is none of the known forms.
    """
    if found := _ARGON2.match(stored):
        name, memory, passes, lanes = found.groups()
        mebibytes = int(memory) // 1024
        return f"{name} m={mebibytes} MiB t={passes} p={lanes}"
    if found := _SCRYPT.match(stored):
        cost, block, lanes = map(int, found.groups())
        return f"scrypt N=2^{cost.bit_length() - 1} r={block} p={lanes}"
    if found := _PBKDF2.match(stored):
        return f"PBKDF2-{found[1].upper()}, {int(found[2]):,} rounds"
    raise ValueError("a peer stores passwords in a form unknown here")
