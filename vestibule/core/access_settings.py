#!/usr/bin/env python3
"""The settings of what users must prove: second factors, rules of the gate."""

from vestibule.core import encryption, setting_types
from vestibule.core.roles import Role
from vestibule.core.setting_types import Setting, is_given

REQUIRE_MFA = Setting(
    "REQUIRE_MFA",
    "off",
    setting_types.one_of("off", "admins", "all"),
    "Which users must have a second factor: `admins`, `all`, or `off`. A user"
    " without one can only set one up, and sign out. It needs `SECRETS_KEY`"
    " and a mechanism with sessions; the default of `hardened` counts only"
    " with them.",
    hardened="admins",
)
MFA_GRACE = Setting(
    "MFA_GRACE",
    "14",
    setting_types.integer_between(0, 365),
    "Days that a user has to set up a second factor, from the first request"
    " at which `REQUIRE_MFA` asked for one. 0: at once.",
    hardened="0",
)
GATE_RULES = Setting(
    "GATE_RULES",
    None,
    setting_types.optional_text,
    "TOML file of the rules that say, by host, path, method, network and"
    " role, what a request through forward authentication needs. Read once,"
    " at the start; it needs `TRUSTED_PROXIES`. Unset: a signed-in user.",
)


def required_of() -> str:
    """Return whom a second factor is required of: "off", "admins" or "all".

    The default of a profile has no effect without a key for secrets, since
    users could not set up a factor then.
    """
    if not is_given(REQUIRE_MFA) and not encryption.has_keys():
        return "off"
    return REQUIRE_MFA.read()


def is_factor_required(role: object) -> bool:
    """Return True if users with this role must have a second factor."""
    required = required_of()
    return required == "all" or (required == "admins" and role == Role.ADMIN)
