#!/usr/bin/env python3
"""Authenticator apps of the tests: enrolment and the codes they show."""

import base64

import pytest

from vestibule.accounts import totp
from vestibule.accounts.second_factors import (
    NewApp,
    begin_app,
    check_second_factor,
    confirm_app,
)
from vestibule.core import clock
from vestibule.core.errors import (
    WrongSecondFactor,
)
from vestibule.db.models.user import User


def seed_of(app: NewApp) -> bytes:
    """Return the seed that the user's app gets."""
    return base64.b32decode(app.key.replace(" ", ""))


def code_of(app: NewApp, offset: int = 0) -> str:
    """Return the code that the user's app shows, some steps from now."""
    step = totp.step_at(clock.now()) + offset
    return totp.hotp(seed_of(app), step)


def wrong_code(app: NewApp) -> str:
    """Return a code of six digits that is not right now."""
    right = {code_of(app, offset) for offset in (-1, 0, 1)}
    return next(
        code for number in range(5) if (code := f"{number:06}") not in right
    )


def enrolled(user: User, name: str = "phone") -> tuple[NewApp, list[str]]:
    """Enrol an app; return it and the recovery codes, a step later."""
    app = begin_app(user, name)
    codes = confirm_app(user, app.factor.id, code_of(app))
    return app, codes


def fail(user: User, app: NewApp) -> None:
    """Give a wrong code, after whatever wait there is."""
    with pytest.raises(WrongSecondFactor):
        check_second_factor(user, wrong_code(app))
