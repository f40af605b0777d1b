#!/usr/bin/env python3
"""A file of settings: read once at the start, and written for a beginning.

Its law: a line means what a POSIX shell would make of it, or is refused;
the environment counts more; and a file that others can change is not
believed, because it decides on the database and on who is trusted. No
message repeats a value: it may be a secret.
"""

import os
import re
import stat
import textwrap
from collections.abc import Iterator, Mapping
from pathlib import Path

from vestibule.core import settings
from vestibule.core.errors import ConfigurationError

#: Bytes of a file; whatever is longer is no file of settings.
MAX_FILE_BYTES = 262_144

_NAME = re.compile(r"(?:export\s+)?([A-Za-z_][A-Za-z0-9_]*)=(.*)", re.DOTALL)
#: What a shell leaves as it is: no quote, and nothing that it expands.
_PLAIN = r"[^\s'\"\\$`;&|<>()~]+"
_PIECE = re.compile(
    rf"'([^']*)'|\"((?:[^\"\\$`]|\\.)*)\"|\\(.)|({_PLAIN})", re.DOTALL
)
_END = re.compile(r"\s*(?:\s#.*)?", re.DOTALL)
_ESCAPED = re.compile(r"\\([\"\\$`])")
_NEEDS_NO_QUOTES = re.compile(r"[\w./:,@%+*#=-]*", re.ASCII)


def load() -> set[str]:
    """Take the settings of the file over; return other names that it has.

    Nothing happens where there is no `.env`. Raise `BadSetting` if the
    file cannot be believed or read, or if another that is named is not
    there.
    """
    name = settings.ENV_FILE.read()
    if not name:
        return set()
    try:
        found = parse(_read(name), name)
    except (FileNotFoundError, IsADirectoryError):
        # Some call the folder of their Python so.
        if name == settings.ENV_FILE.default:
            return set()
        raise ConfigurationError(
            "ENV_FILE", f"there is no file {name}"
        ) from None
    known = {each.name for each in settings.ALL} - {settings.ENV_FILE.name}
    settings.set_missing({key: found[key] for key in known & found.keys()})
    return found.keys() - known


def is_readable_by_others() -> bool:
    """Tell whether there is a file, and others may read it."""
    try:
        mode = os.stat(settings.ENV_FILE.read() or "").st_mode
    except OSError:
        return False
    return stat.S_ISREG(mode) and bool(mode & (stat.S_IRGRP | stat.S_IROTH))


def parse(content: str, name: str) -> dict[str, str]:
    """Return the values by their names; the last of one name counts.

    Raise `BadSetting` with the `name` of the file and the line that is
    none.
    """
    values = {}
    for number, line in enumerate(content.split("\n"), 1):
        line = line.strip()
        if not line or line.startswith("#"):
            continue
        try:
            key, value = _assignment(line)
        except ValueError as error:
            raise ConfigurationError(
                f"{name}, line {number}", str(error)
            ) from None
        values[key] = value
    return values


def template(chosen: Mapping[str, str]) -> str:
    """Return a file with all settings, their meanings and defaults.

    Those that are `chosen` have these values, the others are comments.
    """
    return "\n".join(_template(chosen))


def _template(chosen: Mapping[str, str]) -> Iterator[str]:
    """Yield the lines of the file."""
    yield "# The settings of Vestibule, read where it is started. What the"
    yield "# environment sets counts more. A line without `#` counts."
    for setting in settings.ALL:
        if setting is settings.ENV_FILE:
            continue
        yield ""
        yield from textwrap.wrap(
            setting.meaning, 77, initial_indent="# ", subsequent_indent="# "
        )
        if setting.hardened is not None:
            shown = setting.hardened or "empty"
            yield f"# Under SECURITY_PROFILE=hardened the default is {shown}."
        if setting.name in chosen:
            yield f"{setting.name}={quote(chosen[setting.name])}"
        else:
            yield f"#{setting.name}={quote(setting.default or '')}"
    yield ""


def quote(value: str) -> str:
    """Return a value as a shell, and this module, read it back."""
    if _NEEDS_NO_QUOTES.fullmatch(value):
        return value
    return "'" + value.replace("'", "'\\''") + "'"


def _assignment(line: str) -> tuple[str, str]:
    """Return the name and the value of a line; raise `ValueError`."""
    match = _NAME.fullmatch(line)
    if match is None:
        raise ValueError("must be NAME=VALUE, or a comment after #")
    name, rest = match.groups()
    value, place = "", 0
    while piece := _PIECE.match(rest, place):
        single, double, escaped, plain = piece.groups()
        if double is not None:
            value += _ESCAPED.sub(r"\1", double)
        else:
            value += single or escaped or plain or ""
        place = piece.end()
    if not _END.fullmatch(rest, place) or "\0" in value:
        raise ValueError(
            "the value must be in single quotes, because a shell would not"
            " take it as it is"
        )
    return name, value


def _read(name: str) -> str:
    """Return the text of a file that nobody else can have written."""
    try:
        with open(name, "rb") as file:
            _check_owner(name, os.fstat(file.fileno()))
            return file.read(MAX_FILE_BYTES + 1)[:MAX_FILE_BYTES].decode()
    except UnicodeDecodeError:
        raise ConfigurationError(name, "is not text in UTF-8") from None
    except (FileNotFoundError, IsADirectoryError):
        raise
    except OSError as error:
        raise ConfigurationError(
            name, f"cannot be read: {error.strerror}"
        ) from None


def _check_owner(name: str, found: os.stat_result) -> None:
    """Raise `BadSetting` if somebody else could write to the file."""
    shown = Path(name)
    if not stat.S_ISREG(found.st_mode) or found.st_size > MAX_FILE_BYTES:
        raise ConfigurationError(name, "is not a file of settings")
    if found.st_uid not in (0, os.geteuid()):
        raise ConfigurationError(
            name,
            "belongs to another user, who could change the settings;"
            f" if it is meant: chown {os.geteuid()} {shown}",
        )
    if found.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
        raise ConfigurationError(
            name,
            "others may write to it, and so change the settings:"
            f" chmod 600 {shown}",
        )
