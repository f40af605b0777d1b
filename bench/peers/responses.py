#!/usr/bin/env python3
"""Checks that a response identifies the user, and only with a session.

A server that does not distinguish its users is not measured.
"""


class WrongResponse(RuntimeError):
    """A server identified the wrong user, or none."""


def check_named(who: str, status: int, body: str, email: str) -> None:
    """Raise `WrongResponse` unless the response is 200 with the email."""
    if status != 200 or f'"{email}"' not in body:
        raise WrongResponse(
            f"{who}: {status} to the session of {email}: {body[:200]}"
        )


def check_anonymous(
    who: str, status: int, body: str, emails: list[str]
) -> None:
    """Raise `WrongResponse` if a client without a session gets in."""
    if 200 <= status < 300 or any(email in body for email in emails):
        raise WrongResponse(f"{who}: {status} without a session: {body[:200]}")
