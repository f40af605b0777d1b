#!/usr/bin/env python3
"""The checks of what users must prove: required second factors."""

from collections.abc import Iterator

from vestibule.checks.results import CheckResult, Level
from vestibule.core import encryption, settings
from vestibule.core.access_settings import REQUIRE_MFA
from vestibule.core.errors import ConfigurationError
from vestibule.core.gate_rules_file import configured_rules
from vestibule.core.setting_types import is_given
from vestibule.mechanisms.auth import Auth
from vestibule.mechanisms.session_auth import SessionAuth


def check_access_settings(mechanism: type[Auth] | None) -> None:
    """Raise `ConfigurationError` for a requirement that no user can meet.

    The rules of the gate need a proxy that names what its client asks for.
    """
    if configured_rules() is not None and not settings.TRUSTED_PROXIES.read():
        raise ConfigurationError(
            "GATE_RULES",
            "needs TRUSTED_PROXIES: only a trusted proxy can name the host"
            " and the path that the rules are about",
        )
    if not is_given(REQUIRE_MFA) or REQUIRE_MFA.read() == "off":
        return
    if mechanism is None or not issubclass(mechanism, SessionAuth):
        raise ConfigurationError(
            "REQUIRE_MFA",
            "needs an AUTH_TYPE with sessions: a second factor is given once"
            " for each session",
        )
    if not encryption.has_keys():
        raise ConfigurationError(
            "REQUIRE_MFA",
            "needs SECRETS_KEY or SECRETS_KEY_FILE: without a key, users"
            " cannot set up a second factor",
        )


def check_required_factors(
    mechanism: type[Auth] | None,
) -> Iterator[CheckResult]:
    """Check that the second factor that the profile requires can be had."""
    if mechanism is None or not issubclass(mechanism, SessionAuth):
        return
    if REQUIRE_MFA.read() != "off" and not encryption.has_keys():
        yield CheckResult(
            "access.factors",
            Level.WEAK,
            "no admin needs a second factor, although this profile requires"
            " one: there is no key for secrets",
            "SECRETS_KEY=<from `vestibule secrets new`>, or REQUIRE_MFA=off",
        )
