#!/usr/bin/env python3
"""Whether an answer is right: it names the user, and nobody else gets it.

Its law: what does not tell users apart is not measured.
"""


class WrongAnswer(RuntimeError):
    """A server answered otherwise than who asks has to be answered."""


def check_named(who: str, status: int, body: str, email: str) -> None:
    """Raise `WrongAnswer` unless `who` says 200 and has the email."""
    if status != 200 or f'"{email}"' not in body:
        raise WrongAnswer(
            f"{who}: {status} to the session of {email}: {body[:200]}"
        )


def check_nobody(who: str, status: int, body: str, emails: list[str]) -> None:
    """Raise `WrongAnswer` if `who` lets somebody in who has no session."""
    if 200 <= status < 300 or any(email in body for email in emails):
        raise WrongAnswer(f"{who}: {status} without a session: {body[:200]}")
