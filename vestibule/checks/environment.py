#!/usr/bin/env python3
"""Checks of the names and the empty values in the environment."""

from collections.abc import Iterator

from vestibule.checks.results import CheckResult, Level
from vestibule.core import page_settings, settings
from vestibule.core.setting_types import environment_names, is_set
from vestibule.core.text import is_one_edit
from vestibule.mechanisms.auth import Auth


def check_names(_: type[Auth] | None) -> Iterator[CheckResult]:
    """Check that no variable is one typing error away from a setting."""
    known = {
        name
        for setting in settings.ALL
        for name in (setting.name, setting.prefixed_name)
    }
    for name in sorted(set(environment_names()) - known):
        near = sorted(one for one in known if is_one_edit(name, one))
        if near:
            yield CheckResult(
                "settings.name",
                Level.WEAK,
                f"the environment sets {name}, which is no setting",
                f"{near[0]} is one",
            )


def check_empty_lists(_: type[Auth] | None) -> Iterator[CheckResult]:
    """Check that no empty variable is meant as `none`."""
    for setting in (
        settings.CORS_ORIGINS,
        page_settings.CLEAR_SITE_DATA,
        settings.LOGIN_URL,
    ):
        if setting.name in environment_names() and (not is_set(setting)):
            yield CheckResult(
                "settings.empty",
                Level.WEAK,
                f"{setting.name} is empty, which counts as unset",
                f"{setting.name}=none",
            )
