#!/usr/bin/env python3
"""The facts about how a user proved who they are, and the level they give.

A session carries facts and not a level: a rule may ask for any of them, and
a new rule applies to the sessions that exist. `level_of` is the only place
that turns facts into a level.

A login gives proofs, each with its time, to the one function that begins
sessions (`vestibule.http.login.begin_session`). It turns them into facts for
`create_session`, whose parameters the mechanisms' contract fixes.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, ClassVar, NamedTuple

from vestibule.core.assurance import ACR_PREFIX, Assurance
from vestibule.sessions.session import Session


@dataclass(frozen=True)
class Proof:
    """A proof that the user gave at a moment."""

    at: datetime

    #: How RFC 8176 names its method; empty if it has no name there.
    method: ClassVar[str] = ""
    is_second_factor: ClassVar[bool] = False
    phishing_resistant: ClassVar[bool] = False
    user_verified: ClassVar[bool] = False
    is_recovery: ClassVar[bool] = False


@dataclass(frozen=True)
class PasswordProof(Proof):
    """The user gave the right password."""

    method: ClassVar[str] = "pwd"


@dataclass(frozen=True)
class NewPasswordProof(Proof):
    """The user chose the password in this request.

    They registered, or set it by a code: that of the first run, of an
    invitation or of a reset.
    """

    method: ClassVar[str] = "pwd"


@dataclass(frozen=True)
class TotpProof(Proof):
    """The user gave a code of an authenticator app (RFC 6238)."""

    method: ClassVar[str] = "otp"
    is_second_factor: ClassVar[bool] = True


@dataclass(frozen=True)
class RecoveryCodeProof(Proof):
    """The user gave a recovery code, in place of a lost factor."""

    is_recovery: ClassVar[bool] = True


@dataclass(frozen=True)
class PasskeyProof(Proof):
    """The user's authenticator signed a challenge of this origin.

    It did not verify the user, so this is one factor: beside a password.
    """

    #: Proof of possession of a key.
    method: ClassVar[str] = "pop"
    is_second_factor: ClassVar[bool] = True
    phishing_resistant: ClassVar[bool] = True


@dataclass(frozen=True)
class VerifiedPasskeyProof(PasskeyProof):
    """The authenticator also verified the user, by a PIN or biometrics."""

    user_verified: ClassVar[bool] = True


@dataclass(frozen=True)
class TrustedBrowserProof(Proof):
    """The user gave a second factor in this browser within 30 days.

    It stands for the step that was skipped and is no factor. RFC 8176 has
    no name for it, so no token names it.
    """

    method: ClassVar[str] = "trusted_browser"


class SessionFacts(NamedTuple):
    """How and when the user of a session proved who they are."""

    #: When the user last did so, in whole or in part (`auth_time`).
    auth_time: datetime | None = None
    #: The methods by their names in RFC 8176, in their order (`amr`), and
    #: that of `TrustedBrowserProof`.
    methods: tuple[str, ...] = ()
    second_factor_time: datetime | None = None
    phishing_resistant: bool = False
    user_verified: bool = False
    #: A recovery code replaced the second factor.
    recovered: bool = False

    def with_proof(self, proof: Proof) -> "SessionFacts":
        """Return these facts and what `proof` adds to them."""
        methods = self.methods
        if proof.method and proof.method not in methods:
            methods = (*methods, proof.method)
        time = proof.at if proof.is_second_factor else None
        return SessionFacts(
            max(filter(None, (self.auth_time, proof.at))),
            methods,
            time or self.second_factor_time,
            self.phishing_resistant or proof.phishing_resistant,
            self.user_verified or proof.user_verified,
            # A factor that the user has again ends the recovery.
            (self.recovered or proof.is_recovery)
            and not proof.is_second_factor,
        )

    def stored(self) -> dict[str, Any]:
        """Return the facts by the names of a session's attributes.

        `auth_time` is not among them: it is `authenticated_at`.
        """
        return {
            "proof_methods": " ".join(self.methods) or None,
            "second_factor_at": self.second_factor_time,
            "phishing_resistant": self.phishing_resistant,
            "user_verified": self.user_verified,
            "recovered": self.recovered,
        }


#: How long a recovered session may be used to enroll a new factor.
RECOVERY_LIFETIME = timedelta(minutes=15)
#: The facts of a session that a script began.
NO_FACTS = SessionFacts()
_current: ContextVar[SessionFacts] = ContextVar("facts", default=NO_FACTS)


def facts_of(proofs: Sequence[Proof]) -> SessionFacts:
    """Return the facts that `proofs` give together."""
    facts = NO_FACTS
    for proof in proofs:
        facts = facts.with_proof(proof)
    return facts


def facts_of_session(session: Session) -> SessionFacts:
    """Return the facts that a session carries."""
    return SessionFacts(
        session.authenticated_at,
        tuple((session.proof_methods or "").split()),
        session.second_factor_at,
        session.phishing_resistant,
        session.user_verified,
        session.recovered,
    )


def level_of(facts: SessionFacts) -> int:
    """Return the level of a session: 1, or 2 for two factors.

    A passkey by which the device verified the user is two factors in one
    (NIST SP 800-63B-4, 2.2.1); one by which it did not is a factor beside
    another. A recovered session has level 1.
    """
    if facts.recovered:
        return 1
    if facts.phishing_resistant and facts.user_verified:
        return 2
    is_alone = facts.methods == (PasskeyProof.method,)
    return 2 if facts.second_factor_time and not is_alone else 1


def assurance_of(facts: SessionFacts) -> Assurance:
    """Return what a rule asks for, as the facts have it."""
    return Assurance(
        level_of(facts), facts.phishing_resistant, facts.auth_time
    )


def has_second_factor(facts: SessionFacts) -> bool:
    """Return True if the facts suffice for a user with a second factor.

    They do after a recovery too, but that session can do little.
    """
    return facts.recovered or level_of(facts) > 1


def is_recovery_over(session: Session, now: datetime) -> bool:
    """Return True if the time is over in which a recovered session may act.

    The user enrolls a new factor in that time, which ends the recovery.
    """
    began = session.created_at
    return began is None or not (
        timedelta(0) <= now - began <= RECOVERY_LIFETIME
    )


def acr_of(facts: SessionFacts) -> str:
    """Return the level as the claim `acr` of a token has it."""
    return f"{ACR_PREFIX}{level_of(facts)}"


def amr_of(facts: SessionFacts) -> list[str]:
    """Return the methods as the claim `amr` of a token has them.

    Two factors add `mfa` (RFC 8176, 2). A trusted browser is not among
    them: it has no name there, and is no proof of the user.
    """
    named = [m for m in facts.methods if m != TrustedBrowserProof.method]
    return [*named, *(["mfa"] if level_of(facts) > 1 else [])]


def current_facts() -> SessionFacts:
    """Return the facts for the session that `create_session` begins now."""
    return _current.get()


@contextmanager
def proven(facts: SessionFacts) -> Iterator[None]:
    """Give `facts` to the `create_session` that is called in the block."""
    token = _current.set(facts)
    try:
        yield
    finally:
        _current.reset(token)
