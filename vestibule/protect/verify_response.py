#!/usr/bin/env python3
"""What a Vestibule answers to an application, and where it is asked.

A 200 that names the same user in its body and its headers identifies that
user, a 401 means an anonymous request, and anything else is a failure.
"""

import json
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple
from urllib.parse import unquote, urlsplit

from vestibule.core.assurance import ACR_PREFIX
from vestibule.core.errors import InvalidValue, VestibuleUnavailable
from vestibule.core.text import display_name
from vestibule.identity.header import (
    EMAIL_VERIFIED_HEADER,
    FACTS_HEADER,
)

#: The key of a request's principal in the WSGI environment and the ASGI
#: scope. No header of a request can set it.
PRINCIPAL = "vestibule.principal"
#: The verify route, without a redirect to the sign-in page.
VERIFY_PATH = "/api/v1/auth_session/verify?redirect=off"
#: The public keys that check signed identities.
KEYS_PATH = "/.well-known/jwks.json"
#: Bytes of a body; a Vestibule sends some hundred.
MAX_BODY_BYTES = 65_536
#: The end of the year 9999.
MAX_TIMESTAMP_SECONDS = 253_402_300_799
_ACR = re.compile(f"{ACR_PREFIX}([1-9])")
#: Seconds to wait for a response.
DEFAULT_TIMEOUT = 3.0
#: Connections to one Vestibule that are kept open.
MAX_IDLE_CONNECTIONS = 64
#: Sent with each request. The size of a compressed body would be unknown
#: until it is decompressed.
FIXED_HEADERS = {"Accept": "application/json", "Accept-Encoding": "identity"}


@dataclass(frozen=True, slots=True)
class Principal:
    """A signed-in user.

    The `repr` shows no personal data, because it may end up in logs.
    """

    id: str
    email: str | None = field(default=None, repr=False)
    role: str = ""
    first_name: str | None = field(default=None, repr=False)
    last_name: str | None = field(default=None, repr=False)
    #: True if the user has confirmed the email by a mail.
    email_verified: bool = False
    #: 2 for a session with two factors, else 1; 0 if it is not known.
    level: int = 0
    #: When the user last gave a proof, in seconds since 1970.
    auth_time: int | None = None
    #: The methods by their names in RFC 8176, such as "pwd" and "otp".
    amr: tuple[str, ...] = ()
    phishing_resistant: bool = False
    #: The `REAUTH_WINDOW` of Vestibule in seconds.
    reauth_window: int | None = None

    @property
    def name(self) -> str:
        """Return the display name: the names, else the email, else ""."""
        return display_name(self.first_name, self.last_name, self.email)


class Facts(NamedTuple):
    """How and when a user signed in: the fields of `Principal` for that."""

    level: int = 0
    auth_time: int | None = None
    amr: tuple[str, ...] = ()
    phishing_resistant: bool = False
    reauth_window: int | None = None


class ServiceAddress(NamedTuple):
    """The origin of a Vestibule, its path prefix, and the time limit."""

    origin: str
    prefix: str
    #: Seconds.
    timeout: float


def parse_address(url: str | None, timeout: float) -> ServiceAddress:
    """Return the parsed address; raise `InvalidValue` for a bad one.

    The message does not repeat the address, which may hold a password.
    """
    if url is None:
        raise InvalidValue(
            "url",
            "must be the address of a Vestibule; to use the database of one"
            " call in_process",
            code="required",
        )
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
            "url", "must look like http://127.0.0.1:5000", code="invalid"
        )
    if not 0 < timeout < math.inf:
        raise InvalidValue(
            "timeout", "must be a number of seconds above 0", code="invalid"
        )
    return ServiceAddress(
        f"{parts.scheme}://{parts.netloc}", parts.path.rstrip("/"), timeout
    )


def refuse_audience(audience: object) -> None:
    """Raise `InvalidValue` for an `audience` without a url."""
    if audience is not None:
        raise InvalidValue(
            "audience", "needs the url of a Vestibule", code="required"
        )


class VerifyResponse(NamedTuple):
    """A response: status, headers by lower-case name, and body."""

    status: int
    headers: dict[str, str]
    body: bytes


def parse_principal(response: VerifyResponse) -> Principal | None:
    """Return the user that a response names, `None` if anonymous.

    Raise `VestibuleUnavailable` for a response that no Vestibule sends.
    """
    if response.status == 401:
        return None
    user = parse_json(response)
    headers = response.headers
    user_id = user.get("id")
    told = headers.get("remote-user"), headers.get("remote-groups")
    if (
        not isinstance(user_id, str)
        or not user_id
        or told[0] is None
        or told[1] is None
        or unquote(told[0]) != user_id
    ):
        raise VestibuleUnavailable("the response names no user")
    return Principal(
        user_id,
        _optional_text(user, "email"),
        unquote(told[1]),
        _optional_text(user, "first_name"),
        _optional_text(user, "last_name"),
        _is_verified(headers),
        *_sent_facts(headers),
    )


def _is_verified(headers: dict[str, str]) -> bool:
    """Return True if a response says that the email is confirmed.

    An older Vestibule does not say it, and confirms none.
    """
    told = headers.get(EMAIL_VERIFIED_HEADER.lower(), "false")
    if told not in ("true", "false"):
        raise VestibuleUnavailable(
            "the response does not say whether the email is confirmed"
        )
    return told == "true"


def parse_facts(claims: Mapping[str, Any]) -> Facts | None:
    """Return the facts of the claims of a user, `None` for invalid ones.

    An older Vestibule sends none: then nothing is known.
    """
    if "acr" not in claims:
        return Facts()
    acr = _ACR.fullmatch(str(claims["acr"]))
    auth_time, amr = claims.get("auth_time"), claims.get("amr", [])
    resistant = claims.get("phishing_resistant", False)
    window = claims.get("reauth_window")
    if (
        acr is None
        or not _is_seconds(auth_time)
        or not _is_seconds(window)
        or not isinstance(amr, list)
        or not all(isinstance(method, str) for method in amr)
        or not isinstance(resistant, bool)
    ):
        return None
    return Facts(int(acr[1]), auth_time, tuple(amr), resistant, window)


def _is_seconds(value: Any) -> bool:
    """Return True for a number of seconds since 1970, and for `None`."""
    return value is None or (
        type(value) is int and 0 <= value <= MAX_TIMESTAMP_SECONDS
    )


def _sent_facts(headers: dict[str, str]) -> Facts:
    """Return the facts that a response has in a header.

    Raise `VestibuleUnavailable` if no Vestibule sends them so.
    """
    try:
        claims = json.loads(headers.get(FACTS_HEADER.lower(), "{}"))
    except (ValueError, RecursionError):
        claims = None
    facts = parse_facts(claims) if isinstance(claims, dict) else None
    if facts is None:
        raise VestibuleUnavailable(
            "the response does not say how the user signed in"
        )
    return facts


def parse_json(response: VerifyResponse) -> dict[str, Any]:
    """Return the JSON object of a 200.

    Raise `VestibuleUnavailable` for any other response.
    """
    if response.status != 200:
        raise VestibuleUnavailable(
            f"the response has status {response.status}"
        )
    kind = response.headers.get("content-type", "")
    if kind.partition(";")[0].strip() != "application/json":
        raise VestibuleUnavailable("the response is not JSON")
    try:
        found = json.loads(response.body.decode("utf-8"))
    except (ValueError, RecursionError):
        raise VestibuleUnavailable("the response is not JSON") from None
    if not isinstance(found, dict):
        raise VestibuleUnavailable("the response is not a JSON object")
    return found


def _optional_text(user: dict[str, Any], name: str) -> str | None:
    """Return an optional string of the user object."""
    value = user.get(name)
    if value is not None and not isinstance(value, str):
        raise VestibuleUnavailable(f"the response has a bad {name}")
    return value
