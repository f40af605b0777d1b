#!/usr/bin/env python3
"""What the answers of a Vestibule mean to an application that asks.

Its law: 200 that names a user in body and header names that user, 401 is
nobody, and all else is no answer at all.
"""

from typing import Any, NamedTuple
from urllib.parse import unquote

import orjson

from vestibule.errors import VestibuleUnavailable
from vestibule.protect.principal import Principal

#: Where it is asked; a page's address to sign in at is not wanted.
VERIFY = "/api/v1/auth_session/verify?redirect=off"
#: Where it publishes the keys that sign identities.
KEYS = "/.well-known/jwks.json"
#: Bytes of a body; those of a Vestibule have some hundred.
BODY_LIMIT = 65_536


class Answer(NamedTuple):
    """What came back: status, headers by names in lower case, and body."""

    status: int
    headers: dict[str, str]
    body: bytes


def principal_of(answer: Answer) -> Principal | None:
    """Return who verify names, `None` for nobody.

    Raise `VestibuleUnavailable` for an answer that no Vestibule gives.
    """
    if answer.status == 401:
        return None
    user = json_of(answer)
    headers = answer.headers
    user_id = user.get("id")
    told = headers.get("remote-user"), headers.get("remote-groups")
    if (
        not isinstance(user_id, str)
        or not user_id
        or told[0] is None
        or told[1] is None
        or unquote(told[0]) != user_id
    ):
        raise VestibuleUnavailable("verify names no user")
    return Principal(
        user_id,
        _text(user, "email"),
        unquote(told[1]),
        _text(user, "first_name"),
        _text(user, "last_name"),
    )


def json_of(answer: Answer) -> dict[str, Any]:
    """Return the object of a 200; raise `VestibuleUnavailable` for less.
    """
    if answer.status != 200:
        raise VestibuleUnavailable(f"the answer was {answer.status}")
    kind = answer.headers.get("content-type", "")
    if kind.partition(";")[0].strip() != "application/json":
        raise VestibuleUnavailable("the answer was no JSON")
    try:
        found = orjson.loads(answer.body)
    except ValueError:
        raise VestibuleUnavailable("the answer was no JSON") from None
    if not isinstance(found, dict):
        raise VestibuleUnavailable("the answer was no object")
    return found


def _text(user: dict[str, Any], name: str) -> str | None:
    """Return a text of the user, `None` where there is none."""
    value = user.get(name)
    if value is not None and not isinstance(value, str):
        raise VestibuleUnavailable(f"verify names no {name}")
    return value
