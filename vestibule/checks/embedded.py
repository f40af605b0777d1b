#!/usr/bin/env python3
"""The startup checks in the program of another server or application."""

import logging

from vestibule.checks.environment import check_empty_lists, check_names
from vestibule.checks.results import Check
from vestibule.checks.secrets_key import check_secrets_key
from vestibule.checks.startup import (
    check_cookie,
    check_proxies,
    check_settings,
    check_values,
    check_workers,
    has_sessions_in_memory,
    log_settings_warnings,
    warnings_of,
)
from vestibule.core.threads import claim_process
from vestibule.mechanisms.auth import Auth

_log = logging.getLogger(__name__)

#: The checks that hold for an application in process too.
IN_PROCESS_CHECKS: tuple[Check, ...] = (
    check_names,
    check_empty_lists,
    check_proxies,
    check_secrets_key,
)


def check_embedded(mechanism: type[Auth] | None) -> None:
    """Run the checks of a start in the program of another server.

    gunicorn, `flask run` and `vestibule.flask` start nothing of ours that
    would run them. Log the warnings of the settings once; the database stays
    closed. Raise `ConfigurationError` as `check_settings` does, and if
    another worker of the same server has sessions in its memory.
    """
    check_settings(mechanism)
    if has_sessions_in_memory(mechanism):
        claim_process()
    log_settings_warnings()


def check_in_process(mechanism: type[Auth] | None) -> None:
    """Run the checks that concern `vestibule.protect` in process.

    It serves no pages and sends no mail, and the rules of sessions are those
    of the service, whose start has checked them. Raise `ConfigurationError`
    for the rest as `check_settings` does, and log the warnings that do not
    depend on the service's own settings.
    """
    check_values()
    check_cookie()
    check_workers(mechanism)
    if has_sessions_in_memory(mechanism):
        claim_process()
    for warning in warnings_of(IN_PROCESS_CHECKS, mechanism):
        _log.warning(warning)
