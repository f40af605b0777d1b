#!/usr/bin/env python3
"""Facts of a session: what proofs add, and the level that follows."""

from datetime import datetime, timedelta, timezone
from itertools import product

import pytest

from vestibule.sessions.facts import (
    NO_FACTS,
    NewPasswordProof,
    PasswordProof,
    Proof,
    RecoveryCodeProof,
    SessionFacts,
    TotpProof,
    acr_of,
    amr_of,
    facts_of,
    level_of,
    proven,
)

NOW = datetime(2026, 3, 29, 12, tzinfo=timezone.utc)
LATER = NOW + timedelta(seconds=9)


@pytest.mark.parametrize(
    ("proofs", "amr", "level"),
    [
        ([], [], 1),
        ([PasswordProof(NOW)], ["pwd"], 1),
        ([NewPasswordProof(NOW)], ["pwd"], 1),
        ([PasswordProof(NOW)] * 2, ["pwd"], 1),
        ([PasswordProof(NOW), TotpProof(NOW)], ["pwd", "otp", "mfa"], 2),
        ([PasswordProof(NOW), RecoveryCodeProof(NOW)], ["pwd"], 1),
        (
            [PasswordProof(NOW), RecoveryCodeProof(NOW), TotpProof(NOW)],
            ["pwd", "otp", "mfa"],
            2,
        ),
        ([TotpProof(NOW), RecoveryCodeProof(NOW)], ["otp"], 1),
    ],
)
def test_proofs_give_methods_and_level(
    proofs: list[Proof], amr: list[str], level: int
) -> None:
    """The names are those of RFC 8176."""
    facts = facts_of(proofs)
    assert (amr_of(facts), level_of(facts)) == (amr, level)
    assert acr_of(facts) == f"urn:vestibule:level:{level}"


def test_time_is_that_of_the_last_proof() -> None:
    """In whichever order they come."""
    for first, second in ((NOW, LATER), (LATER, NOW)):
        facts = facts_of([PasswordProof(first), TotpProof(second)])
        assert facts.auth_time == LATER
        assert facts.second_factor_time == second


def test_level_of_all_facts() -> None:
    """Two needs a second factor, or a verified user at a passkey."""
    twos = {
        (second, resistant, verified)
        for second, resistant, verified, recovered in product(
            (None, NOW), (False, True), (False, True), (False, True)
        )
        if level_of(
            SessionFacts(NOW, ("pwd",), second, resistant, verified, recovered)
        )
        == 2
    }
    assert twos == {
        (None, True, True),
        *((NOW, *both) for both in product((False, True), repeat=2)),
    }
    for resistant, verified in product((False, True), repeat=2):
        facts = SessionFacts(NOW, (), NOW, resistant, verified, True)
        assert level_of(facts) == 1


def test_proof_cannot_be_changed() -> None:
    """It is a fact."""
    with pytest.raises(AttributeError):
        PasswordProof(NOW).at = LATER  # type: ignore[misc]


def test_facts_are_given_to_one_block_alone() -> None:
    """An error in the block leaves none for the next session."""
    from vestibule.sessions.facts import current_facts

    with (
        pytest.raises(ZeroDivisionError),
        proven(facts_of([PasswordProof(NOW)])),
    ):
        assert current_facts() != NO_FACTS
        raise ZeroDivisionError
    assert current_facts() == NO_FACTS
