#!/usr/bin/env python3
"""The checks of passkeys: settings, and passkeys that a change orphans."""

from collections.abc import Iterator

from vestibule.accounts.passkeys import site
from vestibule.checks.results import CheckResult, Level
from vestibule.core import page_settings
from vestibule.core.errors import ConfigurationError
from vestibule.db import passkeys
from vestibule.mechanisms.auth import Auth


def check_passkey_settings() -> None:
    """Raise `ConfigurationError` if passkeys are set up in part."""
    rp_id = page_settings.PASSKEY_RP_ID.read()
    origins = page_settings.PASSKEY_ORIGINS.read()
    address = page_settings.PUBLIC_URL.read()
    if origins and not rp_id and not address:
        raise ConfigurationError(
            "PASSKEY_RP_ID", "must be set with PASSKEY_ORIGINS"
        )
    if rp_id and site() is None:
        raise ConfigurationError(
            "PASSKEY_RP_ID",
            "needs PASSKEY_ORIGINS, or a PUBLIC_URL with https and a domain",
        )


def orphaned_passkeys(_: type[Auth] | None) -> Iterator[CheckResult]:
    """Count the passkeys that the present RP ID cannot use."""
    found = site()
    rp_id = "" if found is None else found.rp_id
    number = passkeys.count_other(rp_id)
    if not number:
        return
    now = rp_id or "unset"
    yield CheckResult(
        "passkeys.rp_id",
        Level.WRONG,
        f"passkeys that cannot sign in, because the RP ID is {now}: {number}",
        "set PASSKEY_RP_ID to the previous one, or have their users add new"
        " passkeys",
    )
