#!/usr/bin/env python3
"""Who sends a request, as an application sees them.

Where a Vestibule is asked, and how long an answer is waited for.

What the answers of a Vestibule mean to an application that asks.

Its law: 200 that names a user in body and header names that user, 401 is
nobody, and all else is no answer at all.
"""

import json
import math
from dataclasses import dataclass, field
from typing import Any, NamedTuple
from urllib.parse import unquote, urlsplit

from vestibule.core.errors import InvalidValue, VestibuleUnavailable
from vestibule.core.text import display_name

#: Where the principal of a request stands: in the environment of WSGI, in
#: the scope of ASGI. No header of a request gets there.
PRINCIPAL = "vestibule.principal"


@dataclass(frozen=True, slots=True)
class Principal:
    """A user who is signed in.

    What says more than the id about a person is not shown in a `repr`,
    because those end up in logs.
    """

    id: str
    email: str | None = field(default=None, repr=False)
    role: str = ""
    first_name: str | None = field(default=None, repr=False)
    last_name: str | None = field(default=None, repr=False)

    @property
    def name(self) -> str:
        """Return the names, or the one there is, or the email, or ""."""
        return display_name(self.first_name, self.last_name, self.email)


#: Seconds.
DEFAULT_TIMEOUT = 3.0
#: Connections to it that are kept open.
KEPT_CONNECTIONS = 64
#: What is said with each question. What is packed would have to be
#: unpacked before anybody knows how much it is.
FIXED_HEADERS = {"Accept": "application/json", "Accept-Encoding": "identity"}


class ServiceAddress(NamedTuple):
    """The origin of a Vestibule, the path before its own, and patience."""

    origin: str
    prefix: str
    #: Seconds.
    timeout: float


def parse_address(url: str, timeout: float) -> ServiceAddress:
    """Return where to ask; raise `InvalidValue` if that is nowhere.

    What is said then does not repeat the address: it may hold a password.
    """
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname, parts.port
    except (ValueError, AttributeError):
        host = None
    if (
        not host
        or parts.scheme not in ("http", "https")
        or "@" in parts.netloc
        or parts.query
        or parts.fragment
        or not url.isascii()
        or not url.isprintable()
        or " " in url
    ):
        raise InvalidValue(
            "url", "must be as http://127.0.0.1:5000", code="invalid"
        )
    if not 0 < timeout < math.inf:
        raise InvalidValue(
            "timeout", "must be a number of seconds above 0", code="invalid"
        )
    return ServiceAddress(
        f"{parts.scheme}://{parts.netloc}", parts.path.rstrip("/"), timeout
    )


def refuse_audience(audience: str | None) -> None:
    """Raise `InvalidValue` for an `audience` without anybody's keys."""
    if audience is not None:
        raise InvalidValue(
            "audience", "needs the url of a Vestibule", code="required"
        )


#: Where it is asked; a page's address to sign in at is not wanted.
VERIFY_PATH = "/api/v1/auth_session/verify?redirect=off"
#: Where it publishes the keys that sign identities.
KEYS_PATH = "/.well-known/jwks.json"
#: Bytes of a body; those of a Vestibule have some hundred.
MAX_BODY_BYTES = 65_536


class VerifyResponse(NamedTuple):
    """What came back: status, headers by names in lower case, and body."""

    status: int
    headers: dict[str, str]
    body: bytes


def parse_principal(answer: VerifyResponse) -> Principal | None:
    """Return who verify names, `None` for nobody.

    Raise `VestibuleUnavailable` for an answer that no Vestibule gives.
    """
    if answer.status == 401:
        return None
    user = parse_json(answer)
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


def parse_json(answer: VerifyResponse) -> dict[str, Any]:
    """Return the object of a 200; raise `VestibuleUnavailable` for less."""
    if answer.status != 200:
        raise VestibuleUnavailable(f"the answer was {answer.status}")
    kind = answer.headers.get("content-type", "")
    if kind.partition(";")[0].strip() != "application/json":
        raise VestibuleUnavailable("the answer was no JSON")
    try:
        found = json.loads(answer.body.decode("utf-8"))
    except (ValueError, RecursionError):
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
