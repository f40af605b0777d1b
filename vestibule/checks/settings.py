#!/usr/bin/env python3
"""The results of checks, and the checks of names, values and key files.

A backup or a thief of the folder of the database must not get the key of
stored secrets with it, and no other user of the machine may read the key.
"""

import os
import stat
from collections.abc import Callable, Iterator
from enum import StrEnum
from pathlib import Path
from typing import NamedTuple

from vestibule.core import access_settings, env_file, page_settings, settings
from vestibule.core.setting_types import environment_names, is_set
from vestibule.core.text import is_one_edit
from vestibule.db.engine import configured_database
from vestibule.mechanisms.auth import Auth


class Level(StrEnum):
    """How serious a result is."""

    GOOD = "good"
    WEAK = "weak"
    WRONG = "wrong"


class CheckResult(NamedTuple):
    """What a check found. `hint` says what to do about it."""

    id: str
    level: Level
    message: str
    hint: str = ""


#: A check gets the class that AUTH_TYPE names.
Check = Callable[[type[Auth] | None], Iterator[CheckResult]]


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


def check_secrets_key(_: type[Auth] | None) -> Iterator[CheckResult]:
    """Check that only the service has the keys of stored secrets."""
    folder = _database_folder()
    path = access_settings.SECRETS_KEY_FILE.read()
    if path is not None:
        yield from _key_file(Path(path), folder)
    name = settings.ENV_FILE.read()
    if (
        name
        and _is_inside(Path(name), folder)
        and env_file.has_name(access_settings.SECRETS_KEY.name)
    ):
        yield CheckResult(
            "secrets.env_file",
            Level.WRONG,
            f"{name} has SECRETS_KEY and is in the folder of the database:"
            " a copy of the folder can be decrypted",
            "SECRETS_KEY_FILE=<a file in another folder>",
        )


def _key_file(path: Path, folder: Path | None) -> Iterator[CheckResult]:
    """Check the folder and the mode of the key file."""
    try:
        status = os.stat(path)
    except OSError:
        # Reading the key reports that.
        return
    mode = stat.S_IMODE(status.st_mode)
    if mode & ~0o600:
        yield CheckResult(
            "secrets.key_mode",
            Level.WRONG,
            f"the mode of the key file {path} is {mode:04o}, not 0600",
            f"chmod 600 {path}",
        )
    if _is_inside(path, folder):
        yield CheckResult(
            "secrets.key_folder",
            Level.WRONG,
            f"the key file {path} is in the folder of the database: a copy of"
            " the folder can be decrypted",
            "move it to another folder, and set SECRETS_KEY_FILE to its path",
        )


def _database_folder() -> Path | None:
    """Return the folder of the SQLite file; `None` without such a file."""
    url = configured_database().url
    if url.get_backend_name() != "sqlite" or not url.database:
        return None
    return Path(url.database).resolve().parent


def _is_inside(file: Path, folder: Path | None) -> bool:
    """Return True if `file` is below `folder`; links count by their end."""
    return folder is not None and file.resolve().is_relative_to(folder)
