#!/usr/bin/env python3
"""What a request may demand of how its user signed in, and what is missing.

Forward authentication, its step-up page and `vestibule.protect` share these
rules: a role, a level, a sign-in that cannot be phished, or a recent proof.
It needs the standard library only.
"""

from collections.abc import Mapping
from datetime import datetime, timedelta
from enum import StrEnum
from typing import NamedTuple, Protocol

#: What a session's level is called as an `acr` (OpenID Connect Core, 2).
ACR_PREFIX = "urn:vestibule:level:"
#: The `acr` of a phishing-resistant sign-in (OpenID Connect EAP ACR Values).
PHISHING_RESISTANT_ACR = "phr"
#: The highest level: two factors.
MAX_LEVEL = 2
#: The error of RFC 9470, section 3.
_ERROR = "insufficient_user_authentication"
#: Seconds of freshness that may be demanded: a year.
MAX_FRESH_SECONDS = 31_536_000


class Fact(StrEnum):
    """A fact that a rule asks for."""

    SIGNED_IN = "signed-in"
    LEVEL = "level"
    PHISHING_RESISTANT = "phishing-resistant"
    FRESH = "fresh"


class Demand(Protocol):
    """What a signed-in user needs beyond being signed in."""

    @property
    def level(self) -> int:
        """Return the level: 1 for any, 2 for two factors."""

    @property
    def phishing_resistant(self) -> bool:
        """Return True if the sign-in must not be phishable."""

    @property
    def fresh(self) -> int | None:
        """Return the seconds since the last proof at most, or `None`."""


class Requirement(NamedTuple):
    """A demand that is not part of a rule of the gate."""

    level: int = 1
    phishing_resistant: bool = False
    #: Seconds.
    fresh: int | None = None


class Assurance(NamedTuple):
    """What is known about how the user of a session signed in."""

    level: int
    phishing_resistant: bool
    #: When the user last gave a proof, in whole or in part.
    auth_time: datetime | None


def is_recent_auth(
    authenticated_at: datetime | None, window: timedelta, now: datetime
) -> bool:
    """Return True if `authenticated_at` is at most `window` before `now`.

    A moment in the future is not recent: a clock was set back, and the
    window would stay open until the clock passes that moment.
    """
    return authenticated_at is not None and (
        timedelta(0) <= now - authenticated_at <= window
    )


def missing_facts(
    demand: Demand, held: Assurance, now: datetime
) -> tuple[Fact, ...]:
    """Return the facts that are demanded and that a session does not have."""
    missing = []
    if held.level < demand.level:
        missing.append(Fact.LEVEL)
    if demand.phishing_resistant and not held.phishing_resistant:
        missing.append(Fact.PHISHING_RESISTANT)
    if demand.fresh is not None and not is_recent_auth(
        held.auth_time, timedelta(seconds=demand.fresh), now
    ):
        missing.append(Fact.FRESH)
    return tuple(missing)


def acr_values(demand: Demand) -> str:
    """Return the `acr` that is demanded; empty for any."""
    if demand.phishing_resistant:
        return PHISHING_RESISTANT_ACR
    return f"{ACR_PREFIX}{demand.level}" if demand.level > 1 else ""


def step_up_challenge(demand: Demand) -> str:
    """Return `WWW-Authenticate` for a user who lacks a fact (RFC 9470)."""
    challenge = f'Bearer error="{_ERROR}"'
    if acr := acr_values(demand):
        challenge += f', acr_values="{acr}"'
    if demand.fresh is not None:
        challenge += f', max_age="{demand.fresh}"'
    return challenge


def asked_query(demand: Demand) -> dict[str, str]:
    """Return what is demanded as the query of the step-up page."""
    asked = {"level": str(demand.level)} if demand.level > 1 else {}
    if demand.phishing_resistant:
        asked["phishing-resistant"] = "on"
    if demand.fresh is not None:
        asked["fresh"] = str(demand.fresh)
    return asked


def asked_requirement(query: Mapping[str, str]) -> Requirement:
    """Return what the query of the step-up page demands.

    Anyone can write that query. It says only what the page asks for: the
    decision is made again when the user is back.
    """
    fresh = query.get("fresh", "")
    is_number = fresh.isascii() and fresh.isdigit()
    in_range = is_number and len(fresh) <= len(str(MAX_FRESH_SECONDS))
    return Requirement(
        level=MAX_LEVEL if query.get("level") == str(MAX_LEVEL) else 1,
        phishing_resistant=query.get("phishing-resistant") == "on",
        fresh=int(fresh) if in_range else None,
    )


class Role(StrEnum):
    """The role of a user; `accounts.permissions` says what it allows."""

    MEMBER = "member"
    ADMIN = "admin"
